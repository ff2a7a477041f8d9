// Countdowns, and pages that look again by themselves. Every page works without it.
"use strict";

(() => {
  const LOOK_AGAIN = 4000, SECOND = 1000;
  const region = document.getElementById("live");
  if (!region) return;
  // The server's clock counts, not that of this machine.
  let ahead = Number(region.dataset.now) - Date.now();
  let seen;
  let isOver = false;

  const write = (ms) => {
    const seconds = Math.max(0, Math.floor(ms / SECOND));
    const [days, hours] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600)];
    if (days) return `${days} d ${hours % 24} h`;
    if (hours) return `${hours} h ${Math.floor(seconds / 60) % 60} min`;
    return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  };

  const tick = () => {
    for (const one of region.querySelectorAll("[data-until]")) {
      one.textContent = write(Number(one.dataset.until) - Date.now() - ahead);
    }
  };

  // Nothing moves under somebody's hands, nor what they have typed and not sent yet.
  const isWriting = () => {
    const one = document.activeElement;
    const fields = [...region.querySelectorAll("input:not([type=hidden])")];
    return (region.contains(one) && one.matches("input, select, textarea, button, summary"))
      || fields.some((field) => field.value !== field.defaultValue);
  };

  const say = (text) => {
    const said = document.getElementById("said");
    if (said && said.textContent !== text) said.textContent = text;  // it is read out once
  };

  // What was rendered, without what changes with every look.
  const strip = (node) => {
    const copy = node.cloneNode(true);
    for (const one of copy.querySelectorAll("[data-until]")) one.textContent = "";
    for (const one of copy.querySelectorAll("input[name=token]")) one.remove();
    return copy.innerHTML;
  };
  seen = strip(region);

  const show = (fresh) => {
    const focused = region.contains(document.activeElement) ? document.activeElement.id : "";
    const open = [...region.querySelectorAll("details[open]")].map((one) => one.id);
    region.replaceChildren(...fresh.childNodes);
    for (const id of open) { const one = id && document.getElementById(id); if (one) one.open = true; }
    const again = focused && document.getElementById(focused);
    if (again) again.focus({ preventScroll: true });
  };

  const look = async () => {
    if (isOver || document.hidden) return;
    const url = new URL(location.href);
    url.hash = "";
    url.searchParams.set("live", "1");
    let answer;
    try { answer = await fetch(url, { credentials: "same-origin" }); } catch { return; }
    if (answer.status === 401) {
      isOver = true;
      say("You are signed out: open the page again.");
      return;
    }
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("live");
    if (!fresh) return;
    ahead = Number(fresh.dataset.now) - Date.now();
    const now = strip(fresh);
    if (now === seen) return;
    if (isWriting()) {
      say("Something has changed; it is shown as soon as you are done here.");
      return;
    }
    seen = now;
    show(fresh);
    say("The page has changed.");
  };

  setInterval(tick, SECOND);
  setInterval(look, LOOK_AGAIN);
  tick();
})();
