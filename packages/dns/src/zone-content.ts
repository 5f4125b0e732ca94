import type { KubeObject } from "@boxship/api";
import type { FollowServices, Informer } from "@boxship/client";
import { canonical, type ZoneContent } from "./cluster-zone.ts";
import { type NamedService, nameService } from "./service-names.ts";

/** The zone's content as the API has it now. */
export class FollowedContent implements ZoneContent, Disposable {
  readonly #services: FollowServices;
  readonly #namespaces: Informer<KubeObject>;
  readonly #named = new Map<string, NamedService>();
  /** The names of an address, and of which services they are. */
  readonly #names = new Map<string, Map<string, string>>();
  readonly #following: Disposable;
  #serial = Math.floor(Date.now() / 1000);

  constructor(services: FollowServices, namespaces: Informer<KubeObject>) {
    this.#services = services;
    this.#namespaces = namespaces;
    this.#following = services.onChange((key) => this.#changed(key));
  }

  get serial(): number {
    return this.#serial;
  }

  service(key: string): NamedService | undefined {
    return this.#named.get(key);
  }

  hasNamespace(name: string): boolean {
    return this.#namespaces.get(name) !== undefined;
  }

  namesOf(address: string): readonly string[] {
    return [...(this.#names.get(address)?.keys() ?? [])];
  }

  #changed(key: string): void {
    this.#serial++;
    const before = this.#named.get(key);
    if (before !== undefined) {
      for (const [address] of pointers(key, before)) this.#forget(address, key);
    }
    const service = this.#services.get(key);
    if (service === undefined) {
      this.#named.delete(key);
      return;
    }
    const named = nameService(service, this.#services.slicesOf(key));
    this.#named.set(key, named);
    for (const [address, name] of pointers(key, named)) {
      const names = this.#names.get(address);
      if (names === undefined) this.#names.set(address, new Map([[name, key]]));
      else names.set(name, key);
    }
  }

  #forget(address: string, key: string): void {
    const names = this.#names.get(address);
    for (const [name, of] of names ?? []) if (of === key) names?.delete(name);
    if (names?.size === 0) this.#names.delete(address);
  }

  [Symbol.dispose](): void {
    this.#following[Symbol.dispose]();
  }
}

/** What reverse questions find: addresses of services, and those of the endpoints of headless ones. */
function pointers(key: string, service: NamedService): readonly (readonly [address: string, name: string])[] {
  const [namespace = "", name = ""] = key.split("/");
  const full = `${name}.${namespace}.svc`;
  const endpoints = service.isHeadless ? service.endpoints : [];
  return [
    ...service.addresses.map((address) => [canonical(address) ?? "", full] as const),
    ...endpoints.flatMap(({ addresses, label }) =>
      addresses.map((address) => [canonical(address) ?? "", `${label}.${full}`] as const),
    ),
  ];
}
