import { builtinKinds, customKindsOf, type Kind, KindRegistry, type KubeObject, parseApiVersion } from "@boxship/api";
import type { SharedInformers } from "../frame/shared-informers.ts";
import type { Condition } from "../types/pod.ts";
import { conditionOf } from "./pods.ts";
import { CUSTOM_RESOURCE_DEFINITIONS } from "./resources.ts";

export interface Definition extends KubeObject {
  status?: { conditions?: Condition[] };
}

/** The kinds that a definition has the server serve; none before it is established. */
export const kindsOf = (definition: Definition): readonly Kind[] =>
  conditionOf(definition.status, "Established")?.status === "True" ? customKindsOf(definition, "served") : [];

/** Every kind that is served here: the built-in ones, and custom ones as they come and go. */
export class ServedKinds {
  readonly #registry = new KindRegistry(builtinKinds());

  constructor(informers: SharedInformers) {
    const changed = (definition: Definition): void => this.#registry.put(...kindsOf(definition));
    informers.of<Definition>(CUSTOM_RESOURCE_DEFINITIONS).handle({
      added: changed,
      updated: changed,
      deleted: (definition) => {
        for (const gone of kindsOf(definition)) {
          this.#registry.remove(({ group, resource }) => group === gone.group && resource === gone.resource);
        }
      },
    });
  }

  /** A kind of any version of a group, the one that is named if that is served. */
  findInGroup(apiVersion: string, kind: string): Kind | undefined {
    const { group = "" } = parseApiVersion(apiVersion) ?? {};
    const isIt = (one: Kind): boolean => one.group === group && one.kind === kind;
    return this.find(apiVersion, kind) ?? [...this.#registry.all()].find(isIt);
  }

  /** The kind that a reference names; undefined for one that is not served. */
  find(apiVersion: string, kind: string): Kind | undefined {
    const { group = "", version = "" } = parseApiVersion(apiVersion) ?? {};
    return this.#registry.findKind(group, version, kind);
  }
}
