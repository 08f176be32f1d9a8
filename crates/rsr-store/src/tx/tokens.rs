//! Tokens: made, and taken back.

use rsr_base::UserId;

use super::Tx;
use crate::error::{Conflict, Error};
use crate::rows::{NewToken, TokenSecret};
use crate::sql::params;

impl Tx {
    /// Makes a token for a user. Its secret is in the answer and nowhere else: the database keeps a digest.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where the user is not stored or their access was taken away; [`Conflict::Taken`] where
    /// another token of theirs has the name.
    pub fn create_token(&mut self, new: &NewToken) -> Result<(i64, TokenSecret), Error> {
        self.require(
            "user",
            "SELECT 1 FROM users WHERE id = ?1 AND is_active = 1",
            new.user.0,
        )?;
        let taken = self.db().number(
            "SELECT count(*) FROM tokens WHERE user_id = ?1 AND name = ?2 AND revoked_ms IS NULL",
            params![new.user, &new.name],
        )?;
        if taken > 0 {
            return Err(Conflict::Taken {
                what: "token name",
                value: new.name.clone(),
            }
            .into());
        }
        let secret = TokenSecret::make();
        let id = self.db().number(
            "INSERT INTO tokens (user_id, name, hash, scope, created_ms, expires_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING id",
            params![
                new.user,
                &new.name,
                &secret.digest()[..],
                new.scope.code(),
                self.now_ms,
                new.expires_ms,
            ],
        )?;
        Ok((id, secret))
    }

    /// Takes a token back: the next request with it is refused. Taking it back again changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn revoke_token(&mut self, id: i64) -> Result<(), Error> {
        self.require("token", "SELECT 1 FROM tokens WHERE id = ?1", id)?;
        self.db().execute(
            "UPDATE tokens SET revoked_ms = ?2 WHERE id = ?1 AND revoked_ms IS NULL",
            params![id, self.now_ms],
        )?;
        Ok(())
    }

    /// Takes away all that a user may do: their roles and tokens. The user stays, since updates name who reported them.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn revoke_user(&mut self, id: UserId) -> Result<(), Error> {
        self.require("user", "SELECT 1 FROM users WHERE id = ?1", id.0)?;
        let db = self.db();
        db.execute(
            "UPDATE users SET is_active = 0, is_admin = 0 WHERE id = ?1",
            params![id],
        )?;
        db.execute(
            "UPDATE tokens SET revoked_ms = ?2 WHERE user_id = ?1 AND revoked_ms IS NULL",
            params![id, self.now_ms],
        )?;
        db.execute("DELETE FROM roles WHERE user_id = ?1", params![id])?;
        Ok(())
    }
}
