import { failure, type Kind } from "@boxship/api";
import type { AdmissionPlugin, AdmissionRequest } from "../../contract.ts";
import type { RemoteHooks } from "../../http/remote-hooks.ts";
import type { ServerContext } from "../../server-context.ts";
import { isExempt, matches } from "../matching/match-rules.ts";
import { conditionsHold } from "../policies/match-conditions.ts";
import { RequestScope } from "../policies/request-scope.ts";
import { replaceObject } from "../replace-object.ts";
import { askWebhook } from "./ask-webhook.ts";
import { type Webhook, webhooksOf } from "./webhook.ts";

/** Who mutates before webhooks do, and again what they have changed. */
type Mutators = () => readonly AdmissionPlugin[];

/**
 * Webhooks that change what is written, one after another in the order of their configurations' names. Where one has
 * changed it, what mutated before is asked again, and so are those webhooks that want to see the changes of later ones.
 */
export function mutatingWebhooks(
  context: () => ServerContext,
  hooks: () => RemoteHooks,
  before: Mutators,
): AdmissionPlugin {
  return {
    name: "MutatingAdmissionWebhook",
    async mutate(request) {
      if (isExempt(request)) return;
      const webhooks = await webhooksOf(context(), "mutating");
      if (webhooks.length === 0) return;
      /** The object as each left it. */
      const seen = new Map<string, string>();
      const ask = async (webhook: Webhook, place: string): Promise<void> => {
        const kind = await asked(context(), request, webhook);
        if (kind === undefined) return;
        await mutateBy(context(), hooks(), { webhook, place }, request, kind);
        seen.set(webhook.id, JSON.stringify(request.object));
      };
      const first = JSON.stringify(request.object);
      for (const [index, webhook] of webhooks.entries()) await ask(webhook, `round_0_index_${index}`);
      if (JSON.stringify(request.object) === first) return;
      for (const plugin of before()) await plugin.mutate?.(request);
      for (const [index, webhook] of webhooks.entries()) {
        if (webhook.reinvoked && seen.has(webhook.id) && seen.get(webhook.id) !== JSON.stringify(request.object))
          await ask(webhook, `round_1_index_${index}`);
      }
    },
  };
}

/** @returns the version in which the webhook is to see the write; undefined where it is not asked */
async function asked(context: ServerContext, request: AdmissionRequest, webhook: Webhook): Promise<Kind | undefined> {
  const kind = await matches(context, request, webhook.matching);
  if (kind === undefined || webhook.conditions.length === 0) return kind;
  const conditions = await conditionsHold(webhook.conditions, await RequestScope.of(context, request, kind));
  if ("failed" in conditions && !webhook.ignoresFailure) {
    throw failure(
      "Forbidden",
      `${request.kind.resource} ${JSON.stringify(request.object?.metadata.name ?? request.name)} is forbidden: webhook "${webhook.name}": ${conditions.failed}`,
    );
  }
  return conditions.hold ? kind : undefined;
}

async function mutateBy(
  context: ServerContext,
  hooks: RemoteHooks,
  { webhook, place }: { readonly webhook: Webhook; readonly place: string },
  request: AdmissionRequest,
  kind: Kind,
): Promise<void> {
  const verdict = await askWebhook(context, hooks, webhook, request, kind, { mutating: true, place });
  const { configuration, name } = webhook;
  const before = JSON.stringify(request.object);
  if (request.object === null && Array.isArray(verdict?.patch) && verdict.patch.length > 0) {
    const words = "attempted to modify the object, which is not supported for this operation";
    throw failure("InternalError", `Internal error occurred: admission webhook ${JSON.stringify(name)} ${words}`);
  }
  if (verdict?.patch !== undefined && request.object !== null)
    await replaceObject(context, request, kind, verdict.patch, `admission webhook "${name}"`);
  const mutated = JSON.stringify(request.object) !== before;
  request.annotate(
    `mutation.webhook.admission.k8s.io/${place}`,
    JSON.stringify({ configuration, webhook: name, mutated }),
  );
  if (!mutated) return;
  const patch = { configuration, webhook: name, patch: verdict?.patch, patchType: "JSONPatch" };
  request.annotate(`patch.webhook.admission.k8s.io/${place}`, JSON.stringify(patch), "detail");
}

/** Webhooks that only say yes or no: all at once. */
export function validatingWebhooks(context: () => ServerContext, hooks: () => RemoteHooks): AdmissionPlugin {
  return {
    name: "ValidatingAdmissionWebhook",
    async validate(request) {
      if (isExempt(request)) return;
      const webhooks = await webhooksOf(context(), "validating");
      const results = await Promise.allSettled(
        webhooks.map(async (webhook, index) => {
          const kind = await asked(context(), request, webhook);
          if (kind === undefined) return;
          const turn = { mutating: false, place: `round_0_index_${index}` };
          await askWebhook(context(), hooks(), webhook, request, kind, turn);
        }),
      );
      for (const result of results) if (result.status === "rejected") throw result.reason;
    },
  };
}
