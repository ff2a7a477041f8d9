// Keys for reviewers, and an announcement for those who listen. Every page works without it.
"use strict";

(() => {
  const cards = [...document.querySelectorAll("article.card")];
  const switchBox = document.getElementById("keys-on");
  const STORED = "opportune.keys";

  // The text that keys are about: the last one that had the focus.
  let current = null;
  document.addEventListener("focusin", (event) => {
    current = event.target.closest("article.card") || current;
  });

  // A live region is read when its text changes, not when the page arrives with it.
  const said = document.getElementById("said");
  if (said && said.textContent.trim()) {
    const text = said.textContent;
    said.textContent = "";
    setTimeout(() => { said.textContent = text; }, 150);
  }

  // The text that a verdict led to: let keys work on it at once.
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
    const at = current ? cards.indexOf(current) + by : 0;
    const card = cards[Math.min(Math.max(at, 0), cards.length - 1)];
    if (card) { card.focus(); card.scrollIntoView({ block: "nearest" }); }
  };

  const rule = (verdict) => {
    if (!current) {  // nothing is decided that was not looked at
      const first = cards.find((card) => "waits" in card.dataset) || cards[0];
      if (first) first.focus();
      return;
    }
    const form = current.querySelector(`form[data-verdict="${verdict}"]`);
    if (!form) return;
    if (verdict === "r") form.elements.reason.focus();
    else form.requestSubmit();
  };

  const follow = (key) => {
    const anchor = document.querySelector(`a[data-key="${key}"]`);
    if (!anchor) return;
    const url = new URL(anchor.href);
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
    const act = {
      j: () => step(1), k: () => step(-1),
      a: () => rule("a"), r: () => rule("r"), u: () => rule("u"),
    }[key] || ("123mnq".includes(key) ? () => follow(key) : null);
    if (!act) return;
    event.preventDefault();
    if (event.repeat && !"jk".includes(key)) return;  // a key held down decides once
    act();
  });

  // A form is sent once, however often its key is struck.
  document.querySelectorAll("form[method=post]").forEach((form) => {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) event.preventDefault();
      form.dataset.sent = "yes";
    });
  });
})();
