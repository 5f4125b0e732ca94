import type { Outcome, Sample } from "./simulate.ts";

const two = (value: number): string => String(value).padStart(2, "0");

/** Hours and minutes; with seconds where samples are not taken at whole minutes. */
function timesOf(samples: readonly Sample[]): (sample: Sample) => string {
  const isWhole = samples.every(({ at }) => at % 60_000 === 0);
  return ({ at }) => {
    const seconds = Math.round(at / 1000);
    const minutes = Math.floor(seconds / 60);
    return `${Math.floor(minutes / 60)}:${two(minutes % 60)}${isWhole ? "" : `:${two(seconds % 60)}`}`;
  };
}

/** What happened, as a table. */
export function printReport({ samples, violations, faults, writes }: Outcome): string {
  const time = timesOf(samples);
  const rows = samples.map((sample) => {
    const { pending, running, ended, nodesReady } = sample;
    return [time(sample), nodesReady, pending, running, ended].map((cell) => String(cell).padStart(8)).join("");
  });
  const head = ["time", "nodes", "pending", "running", "ended"].map((cell) => cell.padStart(8)).join("");
  const end = `${writes} writes of controllers, ${faults.length} faults, ${violations.length} violations`;
  return [head, ...rows, end, ...violations.map((one) => `  ${one}`)].join("\n");
}

const [WIDTH, HEIGHT, MARGIN] = [800, 300, 40];
const LINES = [
  ["running", "#2e7d32"],
  ["pending", "#c62828"],
  ["ended", "#757575"],
  ["nodesReady", "#1565c0"],
] as const;

/** What happened, as a picture (SVG): pods and nodes over time. */
export function drawReport({ samples }: Outcome): string {
  const end = samples.at(-1);
  const last = Math.max(1, end?.at ?? 1);
  const most = Math.max(1, ...samples.flatMap((one) => LINES.map(([field]) => one[field])));
  const x = ({ at }: Sample): number => MARGIN + ((WIDTH - 2 * MARGIN) * at) / last;
  const y = (value: number): number => HEIGHT - MARGIN - ((HEIGHT - 2 * MARGIN) * value) / most;
  const lines = LINES.map(([field, color], index) => {
    const points = samples.map((one) => `${x(one).toFixed(1)},${y(one[field]).toFixed(1)}`).join(" ");
    const label = `<text x="${MARGIN + index * 120}" y="20" fill="${color}">${field}</text>`;
    return `${label}<polyline fill="none" stroke="${color}" stroke-width="2" points="${points}"/>`;
  });
  const axes =
    `<line x1="${MARGIN}" y1="${HEIGHT - MARGIN}" x2="${WIDTH - MARGIN}" y2="${HEIGHT - MARGIN}" stroke="#000"/>` +
    `<text x="${MARGIN}" y="${HEIGHT - 10}">0</text><text x="${WIDTH - 2 * MARGIN}" y="${HEIGHT - 10}">${end === undefined ? "" : timesOf(samples)(end)}</text>` +
    `<text x="2" y="${MARGIN}">${most}</text>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">${axes}${lines.join("")}</svg>\n`;
}
