import { X509Certificate } from "node:crypto";
import { NotFound } from "@boxship/base";
import { keyOf } from "@boxship/client";
import type { ControllerDefinition } from "../contract.ts";
import { conditionOf, millisecondsOf } from "../shared/pods.ts";
import { refOf, SIGNING_REQUESTS } from "../shared/resources.ts";
import type { SigningRequest } from "../types/certificates.ts";
import { followRequests } from "./follow-requests.ts";

const HOUR_MS = 3_600_000;
/** Nobody signs it, or nobody answers at all. */
const UNANSWERED_MS = 24 * HOUR_MS;

/** Deletes requests that were answered an hour ago, or not for a day, and those whose certificate is over. */
export const certificateCleaner: ControllerDefinition = {
  name: "certificate-cleaner",
  workers: 1,
  open(context) {
    const { queue, client, clock } = context;
    return followRequests(context, async (request) => {
      const left = endOf(request) - clock.now();
      if (left > 0) {
        queue.addAfter(keyOf(request), left);
        return;
      }
      try {
        await client.delete(refOf(SIGNING_REQUESTS, request), {
          preconditions: { uid: request.metadata.uid ?? "" },
        });
      } catch (error) {
        if (!(error instanceof NotFound)) throw error;
      }
    });
  },
};

/** When nobody needs it any more. */
function endOf({ metadata, status }: SigningRequest): number {
  const isIssued = (status?.certificate ?? "") !== "";
  const kept = { Approved: isIssued ? HOUR_MS : UNANSWERED_MS, Denied: HOUR_MS, Failed: HOUR_MS };
  const ends = (["Approved", "Denied", "Failed"] as const).flatMap((type) => {
    const condition = conditionOf(status, type);
    const since = millisecondsOf(condition?.lastUpdateTime ?? condition?.lastTransitionTime);
    return condition === undefined || Number.isNaN(since) ? [] : [since + kept[type]];
  });
  const expiry = expiryOf(status?.certificate ?? "");
  if (expiry !== undefined) ends.push(expiry);
  return ends.length > 0 ? Math.min(...ends) : millisecondsOf(metadata.creationTimestamp) + UNANSWERED_MS;
}

function expiryOf(certificate: string): number | undefined {
  if (certificate === "") return undefined;
  try {
    return Date.parse(new X509Certificate(Buffer.from(certificate, "base64")).validTo);
  } catch {
    return undefined;
  }
}
