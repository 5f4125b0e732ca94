import { type BytesReply, textReply } from "./reply.ts";

/** Seconds. */
const BUCKETS = [0.005, 0.025, 0.1, 0.5, 1, 5, 30];

interface Series {
  readonly labels: string;
  count: number;
  sum: number;
  readonly buckets: number[];
}

/** How many requests were answered, and how fast, in Prometheus' text format. */
export class RequestMetrics {
  readonly #series = new Map<string, Series>();

  measured(verb: string, resource: string, code: number, milliseconds: number): void {
    const key = `${verb} ${code} ${known(resource)}`;
    let series = this.#series.get(key);
    if (series === undefined) {
      const labels = `code="${code}",resource="${known(resource)}",verb="${verb.toUpperCase()}"`;
      // Only names of paths make labels: what nobody serves is counted as one.
      if (this.#series.size > 5000) return;
      series = { labels, count: 0, sum: 0, buckets: BUCKETS.map(() => 0) };
      this.#series.set(key, series);
    }
    const seconds = milliseconds / 1000;
    series.count++;
    series.sum += seconds;
    for (let index = 0; index < BUCKETS.length; index++)
      if (seconds <= (BUCKETS[index] ?? 0)) series.buckets[index] = (series.buckets[index] ?? 0) + 1;
  }

  /** @param more lines of others */
  reply(more: readonly string[]): BytesReply {
    const lines = [
      "# HELP apiserver_request_total Requests that were answered.",
      "# TYPE apiserver_request_total counter",
      ...[...this.#series.values()].map(({ labels, count }) => `apiserver_request_total{${labels}} ${count}`),
      "# HELP apiserver_request_duration_seconds Time from a request to its answer.",
      "# TYPE apiserver_request_duration_seconds histogram",
      ...[...this.#series.values()].flatMap(histogram),
      "# HELP process_resident_memory_bytes Resident memory of the process.",
      "# TYPE process_resident_memory_bytes gauge",
      `process_resident_memory_bytes ${process.memoryUsage.rss()}`,
    ];
    return textReply(`${[...lines, ...more].join("\n")}\n`);
  }
}

const known = (resource: string): string => (/^[a-z0-9]{0,63}$/.test(resource) ? resource : "other");

function histogram({ labels, count, sum, buckets }: Series): string[] {
  const name = "apiserver_request_duration_seconds";
  return [
    ...BUCKETS.map((bound, index) => `${name}_bucket{${labels},le="${bound}"} ${buckets[index]}`),
    `${name}_bucket{${labels},le="+Inf"} ${count}`,
    `${name}_sum{${labels}} ${sum}`,
    `${name}_count{${labels}} ${count}`,
  ];
}
