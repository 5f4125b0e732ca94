import { deepCopy, timestamp, valueAt } from "@boxship/api";
import { readCertificateRequest } from "@boxship/apiserver";
import type { ControllerContext, ControllerDefinition } from "../contract.ts";
import { conditionOf } from "../shared/pods.ts";
import { ACCESS_REVIEWS, refOf, SIGNING_REQUESTS } from "../shared/resources.ts";
import type { SigningRequest } from "../types/certificates.ts";
import { followRequests } from "./follow-requests.ts";
import { KUBELET_CLIENT, SIGNERS } from "./signers.ts";

/** Who may ask for a node's client certificate and gets it without a human, by the right for it. */
const RIGHTS = [
  {
    subresource: "selfnodeclient",
    isMeant: (username: string, commonName: string) => username === commonName,
    message: "Auto approving self kubelet client certificate after SubjectAccessReview.",
  },
  {
    subresource: "nodeclient",
    isMeant: () => true,
    message: "Auto approving kubelet client certificate after SubjectAccessReview.",
  },
] as const;

/** Approves the client certificates of nodes for whoever has the right to them. */
export const certificateApprover: ControllerDefinition = {
  name: "certificate-approver",
  open: (context) => followRequests(context, (request) => look(context, request)),
};

async function look(context: ControllerContext, request: SigningRequest): Promise<void> {
  const { status } = request;
  const { signerName = "", usages = [], username = "", request: encoded = "" } = request.spec ?? {};
  if (signerName !== KUBELET_CLIENT || (status?.certificate ?? "") !== "") return;
  if (conditionOf(status, "Approved") !== undefined || conditionOf(status, "Denied") !== undefined) return;
  const asked = await readCertificateRequest(Buffer.from(encoded, "base64").toString()).catch(() => undefined);
  // What its signer would refuse is left to a human.
  if (asked === undefined || SIGNERS[KUBELET_CLIENT]?.(asked, usages) !== undefined) return;
  for (const { subresource, isMeant, message } of RIGHTS) {
    if (!isMeant(username, asked.commonName) || !(await may(context, request, subresource))) continue;
    const time = timestamp(context.clock.now());
    const approved = deepCopy(request);
    const condition = {
      type: "Approved",
      status: "True",
      reason: "AutoApproved",
      message,
      lastUpdateTime: time,
      lastTransitionTime: time,
    };
    approved.status = { ...approved.status, conditions: [...(approved.status?.conditions ?? []), condition] };
    await context.client.update(refOf(SIGNING_REQUESTS, request), approved, { subresource: "approval" });
    return;
  }
}

async function may({ client }: ControllerContext, { spec }: SigningRequest, subresource: string): Promise<boolean> {
  const { username: user = "", uid = "", groups = [], extra = {} } = spec ?? {};
  const resourceAttributes = {
    group: SIGNING_REQUESTS.group,
    resource: SIGNING_REQUESTS.resource,
    verb: "create",
    subresource,
  };
  const review = await client.create(ACCESS_REVIEWS, {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SubjectAccessReview",
    metadata: {},
    spec: { user, uid, groups, extra, resourceAttributes },
  });
  return valueAt(review, "status", "allowed") === true;
}
