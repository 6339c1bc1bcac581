// Refreshes the page in place every five seconds. Without it the page reloads.
"use strict";
const refresh = async () => {
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.statusText);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.getElementById("live").replaceWith(page.getElementById("live"));
    document.title = page.title;
    document.body.dataset.refreshed = answer.headers.get("Date") ?? "";
  } catch {
    document.getElementById("stale").hidden = false;
  }
};
setInterval(() => { if (!document.hidden) refresh(); }, 5000);
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
