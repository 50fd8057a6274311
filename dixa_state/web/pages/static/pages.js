// What the pages cannot do on the server: the reader's zone, sliders, ages that go on counting.
"use strict";

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.includes(`dixa_state_zone=${zone}`)) {
  document.cookie = `dixa_state_zone=${zone}; Path=/; Max-Age=31536000; SameSite=Strict`;
  if (document.cookie.includes(`dixa_state_zone=${zone}`)) location.reload(); // cookies may be off
}

let stepped = null;

// A page may have come since the step: then its own slider takes the place of this one.
function submit(slider) {
  const shown = document.querySelector(`input[data-select="${slider.dataset.select}"]`);
  if (!shown) return;
  document.getElementById(slider.dataset.select).selectedIndex = shown.value = slider.value;
  shown.form.requestSubmit();
}

// A slider shows the stops of the list beside it; the form asks for the page of the chosen one.
function sliders() {
  for (const slider of document.querySelectorAll("input[data-select]")) {
    const list = document.getElementById(slider.dataset.select);
    slider.hidden = false;
    if (slider.dataset.ready) continue;
    slider.dataset.ready = "true";
    slider.addEventListener("input", () => {
      list.selectedIndex = slider.value;
      stepped = slider.dataset.select;
      slider.setAttribute("aria-valuetext", list.selectedOptions[0].text);
      clearTimeout(slider.waiting);
      slider.waiting = setTimeout(() => submit(slider), 120);
    });
    list.addEventListener("change", () => slider.form.requestSubmit());
  }
  for (const button of document.querySelectorAll("[data-scriptless]")) button.hidden = true;
  // The page that came hid the slider for a moment, and so took the keyboard from it.
  if (stepped && document.activeElement === document.body)
    document.querySelector(`input[data-select="${stepped}"]`)?.focus();
}

function span(seconds) {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400)
    return `${Math.floor(seconds / 3600)} h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, "0")}`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

function ages() {
  for (const time of document.querySelectorAll("time[data-age]"))
    time.textContent = span(Math.max(0, (Date.now() - Date.parse(time.dateTime)) / 1000));
}

document.addEventListener("DOMContentLoaded", sliders);
document.addEventListener("htmx:after:swap", sliders);
setInterval(ages, 10000);

// The board says whether it is live, since a stale number on a wall looks like any other.
function live(says, off) {
  const state = document.getElementById("live");
  if (!state) return;
  state.hidden = false;
  state.textContent = says;
  state.dataset.live = off ? "off" : "on";
}
document.addEventListener("htmx:sse:after:connection", () => live("live", false));
document.addEventListener("htmx:sse:error", () => live("disconnected, trying again…", true));
document.addEventListener("htmx:sse:before:connection", (event) => {
  if (event.detail.connection.attempt > 0) live("disconnected, trying again…", true);
});

// htmx connects again what was connected once; the first connection is ours to repeat.
for (const failure of ["htmx:error", "htmx:response:error"])
  document.addEventListener(failure, ({ target }) => {
    if (!target.hasAttribute?.("hx-sse:connect")) return;
    live("disconnected, trying again…", true);
    setTimeout(() => htmx.trigger(target, "connect"), 1000 + 2000 * Math.random());
  });
