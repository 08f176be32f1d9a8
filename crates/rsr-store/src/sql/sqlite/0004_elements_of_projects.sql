-- On a server what hangs on a project goes with it in another way from here on. Here nothing changes, and versions stay the same.
SELECT 1;
