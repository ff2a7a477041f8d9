// Keys, and an announcement for those who listen. Every page works without it.
"use strict";

(() => {
  const listCards = () => [...document.querySelectorAll("article.card")];
  const switchBox = document.getElementById("keys-on");
  const STORED = "opportune.keys";
  const VERDICTS = ["a", "r", "u", "v", "w", "f"];

  // The card that keys are about: the last one that had the focus. Pages that look again by
  // themselves put another one in its place, under its name.
  let currentId = "";
  const findCurrent = () => (currentId && document.getElementById(currentId)) || null;
  document.addEventListener("focusin", (event) => {
    const card = event.target.closest("article.card");
    if (card) currentId = card.id;
  });

  // A live region is read when its text changes, not when the page arrives with it.
  const said = document.getElementById("said");
  if (said && said.textContent.trim()) {
    const text = said.textContent;
    said.textContent = "";
    setTimeout(() => { said.textContent = text; }, 150);
  }

  // The card that a verdict led to: let keys work on it at once.
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target) target.focus();
  const invalid = document.querySelector("[aria-invalid]");
  if (invalid) invalid.focus();

  if (switchBox) {
    switchBox.checked = localStorage.getItem(STORED) !== "off";
    switchBox.addEventListener("change", () => {
      localStorage.setItem(STORED, switchBox.checked ? "on" : "off");
    });
  }

  const step = (by) => {
    const cards = listCards();
    const current = findCurrent();
    const at = current ? cards.indexOf(current) + by : 0;
    const card = cards[Math.min(Math.max(at, 0), cards.length - 1)];
    if (card) { card.focus(); card.scrollIntoView({ block: "nearest" }); }
  };

  // A form that asks for words, or for a second key, gets the focus; any other one is sent.
  const rule = (verdict) => {
    const current = findCurrent();
    if (!current) {  // nothing is decided that was not looked at
      const cards = listCards();
      const first = cards.find((card) => "waits" in card.dataset) || cards[0];
      if (first) first.focus();
      return;
    }
    const form = current.querySelector(`form[data-verdict="${verdict}"]`);
    if (!form) return;
    const first = form.querySelector("[data-first]");
    if (first) first.focus();
    else if ("confirm" in form.dataset) form.querySelector("button").focus();
    else form.requestSubmit();
  };

  const open = () => {
    const anchor = (findCurrent() || document).querySelector("a.opens");
    if (anchor) location.assign(anchor.href);
  };

  const findAnchor = (key) =>
    [...document.querySelectorAll("a[data-key]")].find((one) => one.dataset.key === key);

  const follow = (key) => {
    const url = new URL(findAnchor(key).href);
    const current = findCurrent();
    if (current && "123m".includes(key)) url.hash = current.id;  // stay at the same text
    location.assign(url);
  };

  const showKeys = () => {
    const keys = document.getElementById("keys");
    if (!keys) return;
    keys.open = !keys.open;
    keys.querySelector("summary").focus();
  };

  // The key on a Latin keyboard: others, such as Russian ones, type another letter in its place,
  // and Kazakh ones letters in place of the digits.
  const latin = (event) => {
    if (event.code.startsWith("Digit") && !event.shiftKey) return event.code.slice(5);
    if (/^[ -~]$/.test(event.key)) return event.key;
    return event.code.startsWith("Key") ? event.code.slice(3).toLowerCase() : event.key;
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest("input:not([type=checkbox]), select, textarea")) {
      if (event.key === "Escape") (event.target.closest("article") || event.target).focus();
      return;
    }
    const key = latin(event);
    if (key === "?") { event.preventDefault(); showKeys(); return; }
    if (!switchBox || !switchBox.checked) return;
    const act = { j: () => step(1), k: () => step(-1), o: open }[key]
      || (VERDICTS.includes(key) ? () => rule(key) : null)
      || (findAnchor(key) ? () => follow(key) : null);
    if (!act) return;
    event.preventDefault();
    if (event.repeat && !"jk".includes(key)) return;  // a key held down decides once
    act();
  });

  // A form is sent once, however often its key is struck.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;  // a page that came back from the browser's memory
    document.querySelectorAll("form[data-sent]").forEach((form) => { delete form.dataset.sent; });
  });
})();
