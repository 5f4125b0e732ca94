import { type Json, listAt, textAt, valueAt } from "@boxship/api";
import type { ServerContext } from "../../server-context.ts";
import { allObjects } from "../../storage/read-objects.ts";
import type { Matching } from "../matching/match-rules.ts";

/** One of a configuration's webhooks, `admissionregistration/v1`. */
export interface Webhook {
  readonly name: string;
  /** Of the configuration that it is in. */
  readonly configuration: string;
  /** The configuration's name and its own: the same as long as it is there. */
  readonly id: string;
  readonly matching: Matching;
  readonly conditions: readonly Json[];
  readonly clientConfig: Json;
  /** Of `AdmissionReview`: the first that it knows and the server does, too. */
  readonly reviewVersion: string;
  /** Whether a write goes on although it cannot be asked. */
  readonly ignoresFailure: boolean;
  readonly timeoutMs: number;
  readonly reinvoked: boolean;
  readonly dryRuns: boolean;
}

/** All webhooks of a sort, by the names of their configurations. */
export async function webhooksOf(context: ServerContext, sort: "mutating" | "validating"): Promise<readonly Webhook[]> {
  const all = await allObjects(context, "admissionregistration.k8s.io", `${sort}webhookconfigurations`);
  return all
    .toSorted((left, right) => ((left.metadata.name ?? "") < (right.metadata.name ?? "") ? -1 : 1))
    .flatMap((one) => listAt(one, "webhooks").map((webhook) => parse(one.metadata.name ?? "", webhook)));
}

function parse(configuration: string, webhook: Json): Webhook {
  const name = textAt(webhook, "name");
  return {
    name,
    configuration,
    id: `${configuration}/${name}`,
    matching: {
      rules: listAt(webhook, "rules"),
      namespaceSelector: valueAt(webhook, "namespaceSelector"),
      objectSelector: valueAt(webhook, "objectSelector"),
      equivalent: textAt(webhook, "matchPolicy") !== "Exact",
    },
    conditions: listAt(webhook, "matchConditions"),
    clientConfig: valueAt(webhook, "clientConfig") ?? {},
    reviewVersion:
      listAt(webhook, "admissionReviewVersions")
        .map((one) => textAt(one))
        .find((one) => one === "v1" || one === "v1beta1") ?? "v1",
    ignoresFailure: textAt(webhook, "failurePolicy") === "Ignore",
    timeoutMs: Number(valueAt(webhook, "timeoutSeconds") ?? 10) * 1000,
    reinvoked: textAt(webhook, "reinvocationPolicy") === "IfNeeded",
    dryRuns: ["None", "NoneOnDryRun"].includes(textAt(webhook, "sideEffects")),
  };
}
