import { sleep } from "@boxship/base";
import type { NodeContext } from "../agent/node-context.ts";
import { runHandler } from "../probes/probe-run.ts";
import type { ContainerSpec, HandlerSpec, Pod } from "../types.ts";

export interface HookRequest {
  readonly pod: Pod;
  readonly spec: ContainerSpec;
  readonly hook: HandlerSpec;
  readonly containerId: string;
  readonly podIP: string;
  readonly timeoutSeconds: number;
  /** Ends a hook that sleeps. @default never */
  readonly signal?: AbortSignal;
}

/** Does what a hook says. @returns how it failed, in the kubelet's words; undefined when it did not */
export async function runHook(
  { cri, clock }: Pick<NodeContext, "cri" | "clock">,
  { pod, spec, hook, containerId, podIP, timeoutSeconds, signal }: HookRequest,
): Promise<string | undefined> {
  if (hook.sleep !== undefined) {
    await sleep(clock, hook.sleep.seconds * 1000, signal).catch(() => {});
    return undefined;
  }
  const target = { cri, clock, containerId, container: spec, podIP, timeoutSeconds, isHook: true };
  const { success, output, error } = await runHandler(hook, target);
  if (success) return undefined;
  const { name, namespace, uid } = pod.metadata;
  const of = `for Container "${spec.name}" in Pod "${name}_${namespace}(${uid})" failed - error:`;
  if (hook.exec === undefined) return `HTTP lifecycle hook (${hook.httpGet?.path ?? "/"}) ${of} ${output}`;
  const words = `Exec lifecycle hook ([${(hook.exec.command ?? []).join(" ")}]) ${of}`;
  return error === undefined
    ? `${words} ${output}, message: ""`
    : `${words} ${error}, message: ${JSON.stringify(output)}`;
}
