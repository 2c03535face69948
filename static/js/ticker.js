// One clock a second for everything that counts: time left, time running.

const watched = new Map();
let timer = null;

function tick() {
  for (const [node, show] of watched) {
    if (node.isConnected) show();
    else watched.delete(node);
  }
  if (!watched.size) {
    clearInterval(timer);
    timer = null;
  }
}

/** Calls `show` now and each second for as long as `node` is in the page. */
export function everySecond(node, show) {
  show();
  watched.set(node, show);
  timer ??= setInterval(tick, 1000);
}

export const still = (node) => watched.delete(node);
