/** What is measured, how it is measured, and what the numbers say. */

/** One of the programs that are compared in a benchmark. */
export interface Side {
  readonly name: string;
  /** Does the work once and returns the value in the benchmark's unit. */
  readonly measure: () => Promise<number>;
  /** Not measured; before every {@link measure}. */
  readonly before?: () => Promise<void>;
}

/** What the median of one side must be, as a ratio to another side or by itself. */
export interface Target {
  readonly side: string;
  readonly against?: string;
  readonly atMost: number;
}

export interface Benchmark<Context> {
  readonly name: string;
  /** One line for `--list` and the table. */
  readonly title: string;
  readonly unit: "ms" | "µs" | "ms CPU" | "MB" | "% of a core";
  /** @default 15 */
  readonly rounds?: number;
  /** Unmeasured rounds before. @default 2 */
  readonly warmUp?: number;
  readonly targets?: readonly Target[];
  /** Brings up what the sides need. What it adds to the stack is disposed after the last round. */
  readonly prepare: (context: Context, stack: AsyncDisposableStack) => Promise<readonly Side[]>;
}

export interface Summary {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  readonly values: readonly number[];
}

export interface TargetResult extends Target {
  /** The ratio, or the value itself where there is nothing to compare with. */
  readonly value: number;
  readonly met: boolean;
}

export interface Result {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  readonly sides: Readonly<Record<string, Summary>>;
  readonly targets: readonly TargetResult[];
}

function quantile(sorted: readonly number[], part: number): number {
  const place = (sorted.length - 1) * part;
  const [below, above] = [sorted[Math.floor(place)] ?? 0, sorted[Math.ceil(place)] ?? 0];
  return below + (above - below) * (place - Math.floor(place));
}

/** Median, and the spread as the 10th and 90th percentile. */
export function summarize(values: readonly number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: quantile(sorted, 0.5), low: quantile(sorted, 0.1), high: quantile(sorted, 0.9), values };
}

function judge(targets: readonly Target[], sides: Readonly<Record<string, Summary>>): TargetResult[] {
  return targets.flatMap((target) => {
    const ours = sides[target.side]?.median;
    const theirs = target.against === undefined ? 1 : sides[target.against]?.median;
    if (ours === undefined || theirs === undefined) return [];
    const value = ours / theirs;
    return [{ ...target, value, met: value <= target.atMost }];
  });
}

/**
 * Runs the sides in turn, A B C A B C, so that a machine that slows down slows all of them; every second round in the
 * other order, so that none always follows the same neighbour.
 */
export async function runBenchmark<Context>(
  benchmark: Benchmark<Context>,
  context: Context,
  options: { readonly rounds?: number | undefined } = {},
): Promise<Result> {
  await using stack = new AsyncDisposableStack();
  const sides = await benchmark.prepare(context, stack);
  const rounds = options.rounds ?? benchmark.rounds ?? 15;
  const warmUp = benchmark.warmUp ?? 2;
  const values = new Map<string, number[]>(sides.map(({ name }) => [name, []]));
  for (let round = -warmUp; round < rounds; round++) {
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      await side.before?.();
      const value = await side.measure();
      if (round >= 0) values.get(side.name)?.push(value);
    }
  }
  const summaries = Object.fromEntries([...values].map(([name, list]) => [name, summarize(list)]));
  const { name, title, unit } = benchmark;
  return { name, title, unit, sides: summaries, targets: judge(benchmark.targets ?? [], summaries) };
}

function number(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** A Markdown table: one row a side, with its ratio to the first side and what was promised. */
export function table(results: readonly Result[]): string {
  const rows = results.flatMap((result) => {
    const first = Object.values(result.sides)[0]?.median;
    return Object.entries(result.sides).map(([side, { median, low, high }], index) => {
      const ratio = index === 0 || first === undefined || first === 0 ? "" : `${number(median / first)}×`;
      const promises = result.targets.filter((target) => target.side === side).map(promise);
      const what = index === 0 ? `${result.title} (${result.unit})` : "";
      return [what, side, number(median), `${number(low)}–${number(high)}`, ratio, promises.join("; ")];
    });
  });
  const head = ["work", "side", "median", "10–90 %", "to the first", "target"];
  const all = [head, head.map(() => ""), ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  const lines = all.map((row, index) => {
    const cells = row.map((cell, column) => cell.padEnd(widths[column] ?? 0, index === 1 ? "-" : " "));
    return `| ${cells.join(" | ")} |`;
  });
  return `${lines.join("\n")}\n`;
}

function promise({ against, atMost, value, met }: TargetResult): string {
  const what = against === undefined ? number(value) : `${number(value)}× of ${against}`;
  return `${met ? "met" : "MISSED"}: ${what}, at most ${number(atMost)}${against === undefined ? "" : "×"}`;
}
