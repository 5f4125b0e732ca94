// Preloaded into a daemon that is measured. SIGUSR2 starts watching the event loop; the next one writes the longest
// stop in milliseconds to $BENCH_LOOP_DELAY and ends the watch. Nothing runs in between.
import { writeFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { isMainThread } from "node:worker_threads";

const resolution = 2;
const file = process.env.BENCH_LOOP_DELAY;
let histogram;

function toggle() {
  if (histogram === undefined) {
    histogram = monitorEventLoopDelay({ resolution });
    histogram.enable();
    return;
  }
  histogram.disable();
  writeFileSync(file, String(Math.max(0, histogram.max / 1e6 - resolution)));
  histogram = undefined;
}

if (isMainThread && file !== undefined) process.on("SIGUSR2", toggle);
