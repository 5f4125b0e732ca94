import { textAt } from "@boxship/api";
import { NotFound } from "@boxship/base";
import type { ApiClient } from "@boxship/client";
import type { Pod } from "../types.ts";

const CLASSES = { group: "node.k8s.io", version: "v1", resource: "runtimeclasses" } as const;

/**
 * What the engine calls the runtime of a pod's class; empty for the engine's own choice.
 *
 * @throws NotFound where the class is not there any more
 */
export async function runtimeHandlerOf(client: Pick<ApiClient, "get">, { spec }: Pod): Promise<string> {
  const { runtimeClassName: name = "" } = spec;
  if (name === "") return "";
  try {
    return textAt(await client.get({ ...CLASSES, name }), "handler");
  } catch (error) {
    if (!(error instanceof NotFound)) throw error;
    const subject = { kind: "RuntimeClass", name };
    throw new NotFound(`runtimeclass.node.k8s.io "${name}" not found`, { cause: error, subject });
  }
}
