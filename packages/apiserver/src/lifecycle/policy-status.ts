import { type KubeObject, statusOf, valueAt } from "@boxship/api";
import { asBoxshipError, inTurns } from "@boxship/base";
import { checkTypes } from "../admission/policies/check-types.ts";
import { SYSTEM_WRITE, systemRequest } from "../bootstrap/system-request.ts";
import type { ServerContext } from "../server-context.ts";
import { followResource } from "../storage/follow-resource.ts";
import { builtinKind } from "../storage/read-objects.ts";
import { modifyObject } from "../verbs/modify-object.ts";

/** Tells in validating admission policies whether their expressions can hold for the kinds that they are about. */
export class PolicyStatus implements Disposable {
  readonly #context: ServerContext;
  #following: Disposable | undefined;
  #disposed = false;

  private constructor(context: ServerContext) {
    this.#context = context;
  }

  static async open(context: ServerContext): Promise<PolicyStatus> {
    const status = new PolicyStatus(context);
    status.#following = await followResource(context, status.#kind(), {
      begin(cache) {
        for (const object of cache.between("", "")) void status.#check(object.parse());
      },
      changed({ object, deleted }) {
        if (!deleted) void status.#check(object.parse());
      },
    });
    return status;
  }

  #kind() {
    return builtinKind(this.#context, "admissionregistration.k8s.io", "validatingadmissionpolicies");
  }

  async #check(policy: KubeObject): Promise<void> {
    const { name = "", generation = 0 } = policy.metadata;
    if (valueAt(policy, "status", "observedGeneration") === generation) return;
    const { context, kind } = { context: this.#context, kind: this.#kind() };
    try {
      await modifyObject(context, systemRequest(kind, "", name, "status"), SYSTEM_WRITE, {
        async change(old) {
          delete old.metadata.resourceVersion;
          const typeChecking = await inTurns(checkTypes(context.kinds, old));
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
    this.#following?.[Symbol.dispose]();
  }
}
