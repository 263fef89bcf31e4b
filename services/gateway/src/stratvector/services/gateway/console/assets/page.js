// What the page does by itself: it says when its gateway is lost, and zooms both charts together.
import { echarts } from "nicegui-echart";

const LOOK_MS = 100;
const lines = () => document.querySelectorAll('[data-testid="services-card"] [data-level]');

function lost() {
  const since = new Date().toISOString().slice(0, 19).replace("T", " ");
  const banner = document.getElementById("lost");
  banner.textContent = `The gateway has not answered since ${since} UTC: everything below is as of then.`;
  banner.hidden = false;
  document.body.classList.add("gateway-lost");
  for (const line of lines()) {
    if (line.dataset.level === "unknown") continue;
    const word = line.querySelector(".health-word");
    Object.assign(line.dataset, { knownLevel: line.dataset.level, knownWord: word.textContent });
    line.dataset.level = "unknown";
    word.textContent = "unknown";
  }
}

function found() {
  document.getElementById("lost").hidden = true;
  document.body.classList.remove("gateway-lost");
  for (const line of lines()) {
    if (line.dataset.level !== "unknown" || !line.dataset.knownLevel) continue;
    line.querySelector(".health-word").textContent = line.dataset.knownWord;
    line.dataset.level = line.dataset.knownLevel;
  }
}

function until(ready, then) {
  const found = ready();
  if (found) then(found);
  else setTimeout(until, LOOK_MS, ready, then);
}

until(
  () => window.socket,
  (socket) => socket.on("disconnect", lost).on("connect", found),
);
until(
  () => {
    const charts = [...document.querySelectorAll(".chart")].map((one) => echarts.getInstanceByDom(one));
    return charts.length > 1 && charts.every(Boolean) && charts;
  },
  (charts) => {
    for (const chart of charts) chart.group = "session";
    echarts.connect("session");
  },
);
