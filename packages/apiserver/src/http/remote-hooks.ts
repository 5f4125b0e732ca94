import { isIP } from "node:net";
import { type Json, listAt, textAt, valueAt } from "@boxship/api";
import { Unavailable } from "@boxship/base";
import type { ServerContext } from "../server-context.ts";
import { allObjects, readObject } from "../storage/read-objects.ts";
import { type HttpsAnswer, HttpsClient } from "./https-client.ts";

const MOST_CLIENTS = 200;

/** Where a hook answers. */
export interface HookAddress {
  /** To connect to. */
  readonly url: string;
  /** As messages name it. */
  readonly shown: string;
  /** What its certificate names, where that is not the host of the URL. */
  readonly serverName?: string;
}

/** Calls what configurations name by URL or service: webhooks of admission and of conversion. */
export class RemoteHooks implements Disposable {
  readonly #context: () => ServerContext;
  readonly #clients = new Map<string, HttpsClient>();

  constructor(context: () => ServerContext) {
    this.#context = context;
  }

  /**
   * @param config `clientConfig`: `url` or `service`, and `caBundle`
   * @throws DeadlineExceeded, Unavailable
   */
  async call(address: HookAddress, config: Json, body: string, timeoutMs: number): Promise<HttpsAnswer> {
    const bundle = textAt(config, "caBundle");
    const key = JSON.stringify([bundle, address.serverName]);
    let client = this.#clients.get(key);
    if (client === undefined) {
      if (this.#clients.size >= MOST_CLIENTS) this.#forget();
      client = new HttpsClient({
        ...(bundle === "" ? {} : { ca: Buffer.from(bundle, "base64").toString() }),
        ...(address.serverName === undefined ? {} : { serverName: address.serverName }),
      });
      this.#clients.set(key, client);
    }
    const headers: Record<string, string> = { "content-type": "application/json", accept: "application/json" };
    if (address.serverName !== undefined) headers["host"] = address.serverName;
    return await client.call(address.url, { body, headers, timeoutMs });
  }

  /** @throws Unavailable for a service that is not there, or has nobody behind it */
  async addressOf(config: Json): Promise<HookAddress> {
    const url = textAt(config, "url");
    if (url !== "") return { url, shown: url };
    const service = valueAt(config, "service");
    const [name, namespace] = [textAt(service, "name"), textAt(service, "namespace")];
    const port = Number(valueAt(service, "port") ?? 443);
    const path = textAt(service, "path");
    const serverName = `${name}.${namespace}.svc`;
    const shown = `https://${serverName}:${port}${path}`;
    const [host, at] = await this.#endpoint(namespace, name, port);
    return { url: `https://${isIP(host) === 6 ? `[${host}]` : host}:${at}${path}`, shown, serverName };
  }

  /** One of the service's ready endpoints; its own address where nobody tells of any. */
  async #endpoint(namespace: string, name: string, port: number): Promise<readonly [string, number]> {
    const context = this.#context();
    const service = await readObject(context, "", "services", { name, namespace });
    if (service === undefined) throw new Unavailable(`service ${JSON.stringify(name)} not found`);
    if (textAt(service, "spec", "type") === "ExternalName") return [textAt(service, "spec", "externalName"), port];
    const own = listAt(service, "spec", "ports").find((one) => valueAt(one, "port") === port);
    if (own === undefined) throw new Unavailable(`no service port ${port} found for service ${JSON.stringify(name)}`);
    const slices = (await allObjects(context, "discovery.k8s.io", "endpointslices")).filter(
      ({ metadata }) => metadata.namespace === namespace && metadata.labels?.["kubernetes.io/service-name"] === name,
    );
    const found: (readonly [string, number])[] = [];
    for (const slice of slices) {
      const match = listAt(slice, "ports").find((one) => textAt(one, "name") === textAt(own, "name"));
      if (match === undefined) continue;
      for (const endpoint of listAt(slice, "endpoints")) {
        if (valueAt(endpoint, "conditions", "ready") === false) continue;
        for (const one of listAt(endpoint, "addresses")) found.push([textAt(one), Number(valueAt(match, "port"))]);
      }
    }
    if (found.length > 0) return found[Math.floor(Math.random() * found.length)] ?? ["", port];
    const address = textAt(service, "spec", "clusterIP");
    if (slices.length > 0 || address === "" || address === "None")
      throw new Unavailable(`no endpoints available for service ${JSON.stringify(name)}`);
    return [address, port];
  }

  #forget(): void {
    for (const client of this.#clients.values()) client[Symbol.dispose]();
    this.#clients.clear();
  }

  [Symbol.dispose](): void {
    this.#forget();
  }
}
