import type { Json, KubeObject } from "@boxship/api";
import type { AdmissionRequest, ObjectKind } from "../contract.ts";
import type { ResourceRequest, ServerContext } from "../server-context.ts";

export interface Admitted {
  readonly operation: AdmissionRequest["operation"];
  readonly name: string;
  readonly object: KubeObject | null;
  readonly oldObject: KubeObject | null;
  readonly dryRun: boolean;
  readonly options?: Json;
  readonly objectKind?: ObjectKind;
}

/** Asks the plugins about a write. @throws what they throw */
export class Admission {
  readonly #context: ServerContext;
  readonly #request: AdmissionRequest;

  constructor(
    context: ServerContext,
    { kind, info, user, warn, annotate = () => {} }: ResourceRequest,
    about: Admitted,
  ) {
    this.#context = context;
    this.#request = {
      ...about,
      kind,
      user,
      namespace: info.namespace,
      subresource: info.subresource,
      options: about.options ?? null,
      warn,
      annotate,
    };
  }

  async mutate(): Promise<void> {
    for (const plugin of this.#context.admission) await plugin.mutate?.(this.#request);
  }

  async validate(): Promise<void> {
    for (const plugin of this.#context.admission) await plugin.validate?.(this.#request);
  }
}

/** Asks the plugins about an object that is an order, and is never kept; they may change it. */
export async function admitOrder(
  context: ServerContext,
  request: ResourceRequest,
  order: Pick<Admitted, "name" | "dryRun"> & { readonly object: KubeObject; readonly objectKind: ObjectKind },
  operation: "CONNECT" | "CREATE" = "CREATE",
): Promise<void> {
  const admission = new Admission(context, request, { ...order, operation, oldObject: null });
  await admission.mutate();
  await admission.validate();
}
