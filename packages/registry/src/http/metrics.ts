import { Counter, Gauge, Histogram, Registry as Measures } from "prom-client";

/** What is measured of a registry, in Prometheus' text format. */
export class Metrics {
  readonly #all = new Measures();
  readonly #requests = new Counter({
    name: "boxship_registry_requests_total",
    help: "Requests by what was asked and what was answered",
    labelNames: ["route", "method", "status"],
    registers: [this.#all],
  });
  readonly #seconds = new Histogram({
    name: "boxship_registry_request_seconds",
    help: "Time until a request was answered whole",
    labelNames: ["route"],
    buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60],
    registers: [this.#all],
  });
  readonly #bytes = new Counter({
    name: "boxship_registry_bytes_total",
    help: "Bytes that came in and went out, heads of HTTP and TLS included",
    labelNames: ["direction"],
    registers: [this.#all],
  });
  readonly #upstream = new Counter({
    name: "boxship_registry_upstream_total",
    help: "What became of pulls through the cache",
    labelNames: ["upstream", "result"],
    registers: [this.#all],
  });
  #running = 0;

  constructor(sources: {
    readonly webhooks: () => Promise<ReadonlyMap<string, number>>;
    readonly quotas: () => readonly { readonly repositories: string; readonly size: number; readonly used: number }[];
    readonly uploads: () => Promise<number>;
  }) {
    const registers = [this.#all];
    const gauge = (name: string, help: string, labelNames: readonly string[], collect: (to: Gauge) => unknown) =>
      new Gauge({
        name: `boxship_registry_${name}`,
        help,
        labelNames: [...labelNames],
        registers,
        async collect() {
          await collect(this);
        },
      });
    gauge("requests_running", "Requests that are being answered", [], (to) => to.set(this.#running));
    gauge("uploads", "Uploads that have begun and not ended", [], async (to) => to.set(await sources.uploads()));
    gauge("webhook_events", "Events that wait for a webhook", ["webhook"], async (to) => {
      for (const [webhook, count] of await sources.webhooks()) to.set({ webhook }, count);
    });
    gauge("quota_bytes", "Bytes that a quota allows", ["repositories"], (to) => {
      for (const { repositories, size } of sources.quotas()) to.set({ repositories }, size);
    });
    gauge("quota_used_bytes", "Bytes that are used of a quota", ["repositories"], (to) => {
      for (const { repositories, used } of sources.quotas()) to.set({ repositories }, used);
    });
    gauge("resident_memory_bytes", "Memory of the whole process", [], (to) => to.set(process.memoryUsage.rss()));
  }

  /** A request begins. @returns to be called when it was answered, or its client went away */
  request(): (route: string, method: string, status: number) => void {
    const began = performance.now();
    this.#running++;
    return (route, method, status) => {
      this.#running--;
      this.#requests.inc({ route, method, status });
      this.#seconds.observe({ route }, (performance.now() - began) / 1000);
    };
  }

  transferred(direction: "in" | "out", bytes: number): void {
    this.#bytes.inc({ direction }, bytes);
  }

  upstream(upstream: string, result: "hit" | "miss" | "stale" | "failure"): void {
    this.#upstream.inc({ upstream, result });
  }

  text(): Promise<string> {
    return this.#all.metrics();
  }
}
