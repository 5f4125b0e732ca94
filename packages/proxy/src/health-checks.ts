import { createServer, type Server, type ServerResponse } from "node:http";
import { errorMessage, type Logger } from "@boxship/base";
import type { FollowServices, Service } from "@boxship/client";

export interface HealthChecksOptions {
  /** Stays the caller's. */
  readonly services: FollowServices;
  /** The node whose endpoints count. */
  readonly node: string;
  readonly logger: Logger;
}

interface Check {
  readonly port: number;
  readonly server: Server;
}

/**
 * Tells balancers outside of the cluster whether this node has endpoints of a service that leads to those alone
 * (`healthCheckNodePort`): 200 where there are, 503 where there are none, on every address, as kube-proxy answers.
 */
export class HealthChecks implements AsyncDisposable {
  readonly #options: HealthChecksOptions;
  readonly #checks = new Map<string, Check>();
  readonly #following: Disposable;

  constructor(options: HealthChecksOptions) {
    this.#options = options;
    this.#following = options.services.onChange((key) => this.#settle(key));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#following[Symbol.dispose]();
    await Promise.all([...this.#checks.keys()].map((key) => this.#end(key)));
  }

  #settle(key: string): void {
    const port = portOf(this.#options.services.get(key));
    if (this.#checks.get(key)?.port === port) return;
    // Another service may have its port next: it is closed before that one is heard of.
    void this.#end(key);
    if (port === undefined) return;
    const server = createServer((_request, response) => this.#answer(key, response));
    server.on("error", (error) => {
      const why = errorMessage(error);
      this.#options.logger.warn("the health of a service cannot be told", { service: key, port, error: why });
    });
    server.listen(port);
    this.#checks.set(key, { port, server });
  }

  #answer(key: string, response: ServerResponse): void {
    const { services, node } = this.#options;
    const local = new Set<string>();
    for (const { endpoints } of services.slicesOf(key)) {
      for (const { addresses, conditions, nodeName, targetRef } of endpoints ?? []) {
        if (nodeName !== node || conditions?.ready === false) continue;
        local.add(targetRef?.name ?? addresses[0] ?? "");
      }
    }
    const [namespace, name] = key.split("/");
    const body = { service: { namespace, name }, localEndpoints: local.size, serviceProxyHealthy: true };
    response.writeHead(local.size > 0 ? 200 : 503, {
      "Content-Type": "application/json",
      "X-Content-Type-Options": "nosniff",
      "X-Load-Balancing-Endpoint-Weight": String(local.size),
    });
    response.end(JSON.stringify(body));
  }

  async #end(key: string): Promise<void> {
    const check = this.#checks.get(key);
    if (check === undefined) return;
    this.#checks.delete(key);
    const closed = new Promise<void>((resolve) => check.server.close(() => resolve()));
    check.server.closeAllConnections();
    await closed;
  }
}

function portOf(service: Service | undefined): number | undefined {
  const { type, externalTrafficPolicy, healthCheckNodePort = 0 } = service?.spec ?? {};
  const isChecked = type === "LoadBalancer" && externalTrafficPolicy === "Local" && healthCheckNodePort > 0;
  return isChecked ? healthCheckNodePort : undefined;
}
