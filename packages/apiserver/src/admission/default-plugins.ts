import type { AdmissionPlugin } from "../contract.ts";
import type { RemoteHooks } from "../http/remote-hooks.ts";
import { nodeRestriction } from "../node/node-restriction.ts";
import { preventEscalation } from "../rbac/prevent-escalation.ts";
import type { RbacAuthorizer } from "../rbac/rbac-authorizer.ts";
import type { ServerContext } from "../server-context.ts";
import type { SecretTokens } from "../tokens/secret-tokens.ts";
import { certificateRequests, certificateSubjects } from "./certificate-requests.ts";
import { claimResize } from "./claim-resize.ts";
import { defaultClasses } from "./default-classes.ts";
import { defaultTolerations, newNodeTaint } from "./default-tolerations.ts";
import { limitRanges } from "./limit-ranges.ts";
import { namespaceLifecycle } from "./namespace-lifecycle.ts";
import { podSecurity } from "./pod-security/pod-security.ts";
import { mutatingPolicies } from "./policies/mutating-policies.ts";
import { validatingPolicies } from "./policies/validating-policies.ts";
import { priorities } from "./priorities.ts";
import type { QuotaBook } from "./quota/quota-book.ts";
import { resourceQuotas } from "./quota/resource-quota.ts";
import { runtimeClasses } from "./runtime-classes.ts";
import { serviceAccounts } from "./service-accounts.ts";
import { serviceAddresses } from "./service-addresses.ts";
import type { ServiceNetworks } from "./service-networks.ts";
import { storageProtection } from "./storage-protection.ts";
import { tokenSecrets } from "./token-secrets.ts";
import { topologyLabels } from "./topology-labels.ts";
import { mutatingWebhooks, validatingWebhooks } from "./webhooks/webhook-plugins.ts";

/** What the plugins look into; all of it is there before the first request. */
export interface PluginContext {
  readonly context: () => ServerContext;
  readonly rbac: () => RbacAuthorizer;
  readonly quotas: () => QuotaBook;
  readonly hooks: () => RemoteHooks;
  readonly secretTokens: () => SecretTokens;
  /** PEM of the cluster's. */
  readonly authority: () => string;
  readonly serviceNetworks: ServiceNetworks;
}

/** What a default cluster has, in the order in which they are asked. Quotas are the last: they charge. */
export function defaultPlugins(
  { context, rbac, quotas, hooks, secretTokens, authority, serviceNetworks }: PluginContext,
  more: readonly AdmissionPlugin[],
): readonly AdmissionPlugin[] {
  const before: readonly AdmissionPlugin[] = [
    namespaceLifecycle(context),
    limitRanges(context),
    serviceAccounts(context),
    tokenSecrets(context, secretTokens, authority),
    newNodeTaint,
    priorities(context),
    defaultTolerations,
    topologyLabels(context),
    storageProtection,
    ...defaultClasses(context),
    runtimeClasses(context),
    mutatingPolicies(context),
  ];
  return [
    ...before,
    podSecurity(context),
    claimResize(context),
    certificateRequests(context),
    nodeRestriction(context),
    certificateSubjects,
    preventEscalation(context, rbac),
    ...more,
    mutatingWebhooks(context, hooks, () => before),
    validatingPolicies(context),
    validatingWebhooks(context, hooks),
    serviceAddresses(context, serviceNetworks),
    resourceQuotas(quotas),
  ];
}
