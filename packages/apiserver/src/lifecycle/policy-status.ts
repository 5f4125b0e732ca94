import { type KubeObject, statusOf, valueAt } from "@boxship/api";
import { asBoxshipError, type Timer } from "@boxship/base";
import { checkTypes } from "../admission/policies/check-types.ts";
import { SYSTEM_WRITE, systemRequest } from "../bootstrap/system-request.ts";
import type { ServerContext } from "../server-context.ts";
import type { Change } from "../storage/change.ts";
import { builtinKind } from "../storage/read-objects.ts";
import type { ChangeListener } from "../storage/resource-cache.ts";
import { modifyObject } from "../verbs/modify-object.ts";

const AGAIN_MS = 1000;

/** Tells in validating admission policies whether their expressions can hold for the kinds that they are about. */
export class PolicyStatus implements Disposable, ChangeListener {
  readonly #context: ServerContext;
  #listening: Disposable | undefined;
  #waiting: Timer | undefined;
  #disposed = false;

  private constructor(context: ServerContext) {
    this.#context = context;
  }

  static async open(context: ServerContext): Promise<PolicyStatus> {
    const status = new PolicyStatus(context);
    await status.#start();
    return status;
  }

  #kind() {
    return builtinKind(this.#context, "admissionregistration.k8s.io", "validatingadmissionpolicies");
  }

  async #start(): Promise<void> {
    const cache = await this.#context.objects.freshCache(this.#kind());
    this.#listening = cache.listen(this);
    for (const object of cache.between("", "")) void this.#check(object.parse());
  }

  changed({ object, deleted }: Change): void {
    if (!deleted) void this.#check(object.parse());
  }

  ended(): void {
    if (this.#disposed) return;
    this.#waiting = this.#context.clock.setTimeout(AGAIN_MS, () => void this.#start());
  }

  async #check(policy: KubeObject): Promise<void> {
    const { name = "", generation = 0 } = policy.metadata;
    if (valueAt(policy, "status", "observedGeneration") === generation) return;
    const { context, kind } = { context: this.#context, kind: this.#kind() };
    try {
      await modifyObject(context, systemRequest(kind, "", name, "status"), SYSTEM_WRITE, {
        change(old) {
          delete old.metadata.resourceVersion;
          const typeChecking = checkTypes(context.kinds, old);
          return { ...old, status: { observedGeneration: old.metadata.generation ?? 0, typeChecking } };
        },
        track: () => {},
      });
    } catch (error) {
      if (this.#disposed || statusOf(asBoxshipError(error))?.reason === "NotFound") return;
      context.logger.warn(`the status of policy ${name} could not be told`, { error });
    }
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#listening?.[Symbol.dispose]();
    this.#waiting?.[Symbol.dispose]();
  }
}
