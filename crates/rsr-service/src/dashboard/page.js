
"use strict";
(function () {
  const state = document.getElementById("state");
  async function refresh() {
    if (document.hidden) return;
    try {
      const answer = await fetch("/", { cache: "no-store" });
      if (!answer.ok) throw new Error("status " + answer.status);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      document.querySelector("main").replaceWith(page.querySelector("main"));
      state.textContent = "live";
    } catch (error) {
      state.textContent = "not reached: the figures are old";
    }
  }
  setInterval(refresh, 5000);
  document.addEventListener("visibilitychange", refresh);
  state.textContent = "live";
})();
