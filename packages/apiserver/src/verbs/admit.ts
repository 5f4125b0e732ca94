import type { Json, KubeObject } from "@boxship/api";
import type { AdmissionRequest } from "../contract.ts";
import type { ResourceRequest, ServerContext } from "../server-context.ts";

export interface Admitted {
  readonly operation: AdmissionRequest["operation"];
  readonly name: string;
  readonly object: KubeObject | null;
  readonly oldObject: KubeObject | null;
  readonly dryRun: boolean;
  readonly options?: Json;
}

/** Asks the plugins about a write. @throws what they throw */
export class Admission {
  readonly #context: ServerContext;
  readonly #request: AdmissionRequest;

  constructor(context: ServerContext, { kind, info, user, warn }: ResourceRequest, about: Admitted) {
    this.#context = context;
    this.#request = {
      ...about,
      kind,
      user,
      namespace: info.namespace,
      subresource: info.subresource,
      options: about.options ?? null,
      warn,
    };
  }

  async mutate(): Promise<void> {
    for (const plugin of this.#context.admission) await plugin.mutate?.(this.#request);
  }

  async validate(): Promise<void> {
    for (const plugin of this.#context.admission) await plugin.validate?.(this.#request);
  }
}
