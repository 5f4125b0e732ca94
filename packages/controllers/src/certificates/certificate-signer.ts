import { type JsonObject, timestamp } from "@boxship/api";
import { type KeyPair, readCertificateRequest, signCertificateRequest } from "@boxship/apiserver";
import { InvalidArgument } from "@boxship/base";
import type { ControllerContext, ControllerDefinition } from "../contract.ts";
import { withCondition } from "../shared/conditions.ts";
import { conditionOf } from "../shared/pods.ts";
import { refOf, SIGNING_REQUESTS } from "../shared/resources.ts";
import { writeStatus } from "../shared/write-status.ts";
import type { SigningRequest } from "../types/certificates.ts";
import { followRequests } from "./follow-requests.ts";
import { SIGNERS } from "./signers.ts";

const LONGEST_SECONDS = 365 * 24 * 3600;
const SHORTEST_SECONDS = 600;
/** Clocks are not all the same. */
const EARLIER_MS = 300_000;
/** What is valid for so long ends as much earlier as it begins. */
const LONG_SECONDS = 8 * 3600;

/** Signs what was approved for the signers that every cluster has. @param authority vouches for the cluster's clients */
export function certificateSigner(authority: KeyPair): ControllerDefinition {
  return {
    name: "certificate-signer",
    open: (context) =>
      followRequests(context, async (request) => {
        if (request.spec !== undefined && isWaiting(request)) await sign(context, request, authority);
      }),
  };
}

const isWaiting = ({ status }: SigningRequest): boolean =>
  (status?.certificate ?? "") === "" &&
  conditionOf(status, "Approved") !== undefined &&
  conditionOf(status, "Denied") === undefined &&
  conditionOf(status, "Failed") === undefined;

async function sign(context: ControllerContext, request: SigningRequest, authority: KeyPair): Promise<void> {
  const { client, clock } = context;
  const { request: encoded = "", signerName = "", usages = [], expirationSeconds } = request.spec ?? {};
  const objection = SIGNERS[signerName];
  if (objection === undefined) return;
  const pem = Buffer.from(encoded, "base64").toString();
  const against = await readCertificateRequest(pem).then(
    (asked) => objection(asked, usages),
    (error: unknown) => {
      if (error instanceof InvalidArgument) return error.message;
      throw error;
    },
  );
  const now = clock.now();
  const write = (status: JsonObject): Promise<unknown> =>
    writeStatus(client, refOf(SIGNING_REQUESTS, request), request, { ...request.status, ...status });
  if (against !== undefined) {
    const time = timestamp(now);
    const failed = { type: "Failed", status: "True", reason: "SignerValidationFailure", message: against };
    const condition = { ...failed, lastUpdateTime: time, lastTransitionTime: time };
    await write({ conditions: withCondition(request.status?.conditions, condition) });
    return;
  }
  const seconds = Math.min(LONGEST_SECONDS, Math.max(SHORTEST_SECONDS, expirationSeconds ?? LONGEST_SECONDS));
  const notBefore = now - EARLIER_MS;
  const begin = seconds < LONG_SECONDS ? now : notBefore;
  const certificate = await signCertificateRequest(authority, pem, {
    usages,
    notBefore,
    notAfter: begin + seconds * 1000,
  });
  await write({ certificate: Buffer.from(certificate).toString("base64") });
}
