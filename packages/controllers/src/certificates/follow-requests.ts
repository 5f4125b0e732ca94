import { keyOf } from "@boxship/client";
import type { ControllerContext, Reconcile } from "../contract.ts";
import { SIGNING_REQUESTS } from "../shared/resources.ts";
import type { SigningRequest } from "../types/certificates.ts";

/** Looks at each request for a certificate when it comes and when it changes. */
export function followRequests(
  { informers, queue }: ControllerContext,
  look: (request: SigningRequest) => Promise<void>,
): Reconcile {
  const requests = informers.of<SigningRequest>(SIGNING_REQUESTS);
  const add = (request: SigningRequest): void => queue.add(keyOf(request));
  requests.handle({ added: add, updated: add });
  return async (key) => {
    const request = requests.get(key);
    if (request !== undefined) await look(request);
  };
}
