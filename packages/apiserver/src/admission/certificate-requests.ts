import {
  deepCopy,
  forbidden,
  isObject,
  type JsonObject,
  type KubeObject,
  listAt,
  textAt,
  timestamp,
} from "@boxship/api";
import { decide, MASTERS } from "../access/authorize.ts";
import type { AdmissionPlugin, AdmissionRequest, User } from "../contract.ts";
import type { ServerContext } from "../server-context.ts";

const CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client";
const GROUP = "certificates.k8s.io";
const REQUESTS = "certificatesigningrequests";

/** Nobody gets a client certificate with which all would be allowed. */
export const certificateSubjects: AdmissionPlugin = {
  name: "CertificateSubjectRestriction",
  async validate({ kind, operation, subresource, object, name }) {
    if (kind.group !== GROUP || operation !== "CREATE" || subresource !== "" || object === null) return;
    if (textAt(object, "spec", "signerName") !== CLIENT_SIGNER) return;
    const groups = await organizationsOf(Buffer.from(textAt(object, "spec", "request"), "base64").toString());
    if (groups?.includes(MASTERS))
      throw forbidden(kind, name, `use of ${CLIENT_SIGNER} signer with ${MASTERS} group is not allowed`);
  },
};

/** @returns undefined for what is no request of a certificate, in PEM: nobody will sign it */
async function organizationsOf(request: string): Promise<readonly string[] | undefined> {
  await import("reflect-metadata");
  const { Pkcs10CertificateRequest } = await import("@peculiar/x509");
  try {
    return new Pkcs10CertificateRequest(request).subjectName.getField("O");
  } catch {
    return undefined;
  }
}

function asked(object: KubeObject, { name, uid, groups, extra }: User): JsonObject {
  const spec = isObject(object["spec"]) ? object["spec"] : {};
  const { username: _, uid: __, groups: ___, extra: ____, ...rest } = spec;
  return {
    ...rest,
    username: name,
    ...(uid === undefined ? {} : { uid }),
    groups: [...groups],
    ...(extra === undefined ? {} : { extra: deepCopy(extra as unknown as JsonObject) }),
  };
}

function dateConditions(object: KubeObject, now: string): void {
  for (const condition of listAt(object, "status", "conditions")) {
    if (!isObject(condition)) continue;
    condition["lastUpdateTime"] ??= now;
    condition["lastTransitionTime"] ??= now;
  }
}

/** Who approves a certificate, or signs it, needs the right to do so for its signer. */
export function certificateRequests(context: () => ServerContext): AdmissionPlugin {
  return {
    name: "CertificateApproval",
    mutate({ kind, operation, object, oldObject, user }) {
      if (kind.group !== GROUP || kind.resource !== REQUESTS || object === null) return;
      // Who asks is not his to say, and what was asked for is not changed.
      if (operation === "CREATE") object["spec"] = asked(object, user);
      else if (oldObject?.["spec"] !== undefined) object["spec"] = oldObject["spec"];
      dateConditions(object, timestamp(context().clock.now()));
    },
    async validate(request) {
      const { kind, subresource, operation, oldObject, name } = request;
      if (kind.group !== GROUP || kind.resource !== REQUESTS || operation !== "UPDATE") return;
      const signer = textAt(oldObject ?? undefined, "spec", "signerName");
      if (subresource === "approval" && !(await may(context(), request, "approve", signer))) {
        const words = `user not permitted to approve requests with signerName ${JSON.stringify(signer)}`;
        throw forbidden(kind, name, words);
      }
      const signs =
        textAt(request.object ?? undefined, "status", "certificate") !==
        textAt(oldObject ?? undefined, "status", "certificate");
      if (subresource === "status" && signs && !(await may(context(), request, "sign", signer))) {
        const words = `user not permitted to sign requests with signerName ${JSON.stringify(signer)}`;
        throw forbidden(kind, name, words);
      }
    },
  };
}

async function may(
  { authorizers }: ServerContext,
  { user }: AdmissionRequest,
  verb: string,
  signer: string,
): Promise<boolean> {
  for (const name of [signer, `${signer.split("/")[0]}/*`]) {
    const resource = { group: GROUP, version: "*", resource: "signers", namespace: "", name, subresource: "" };
    if ((await decide(authorizers, { user, verb, path: "", resource })).allowed) return true;
  }
  return false;
}
