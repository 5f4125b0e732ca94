import { randomInt } from "node:crypto";
import { forbidden, isObject, type JsonObject, type KubeObject, listAt, textAt } from "@boxship/api";
import { sleep } from "@boxship/base";
import type { AdmissionPlugin, AdmissionRequest } from "../contract.ts";
import type { ServerContext } from "../server-context.ts";
import { readObject } from "../storage/read-objects.ts";
import { containersOf, newPodSpec } from "./pods.ts";

const MIRROR = "kubernetes.io/config.mirror";
const MOUNTED_AT = "/var/run/secrets/kubernetes.io/serviceaccount";
const LETTERS = "bcdfghjklmnpqrstvwxz2456789";
/** A new namespace gets its default account a moment after it is made. */
const TRIES = 20;
const TRIED_EVERY_MS = 100;

/** Every pod runs as a service account that exists, and has its token at hand unless it does not want to. */
export function serviceAccounts(context: () => ServerContext): AdmissionPlugin {
  return {
    name: "ServiceAccount",
    async mutate(request) {
      const spec = newPodSpec(request);
      if (spec === undefined || request.object?.metadata.annotations?.[MIRROR] !== undefined) return;
      const name = textAt(spec, "serviceAccountName") || "default";
      spec["serviceAccountName"] = name;
      spec["serviceAccount"] = name;
      const account = await findAccount(context(), request, name);
      if ((spec["automountServiceAccountToken"] ?? account["automountServiceAccountToken"]) !== false) mountToken(spec);
      const secrets = listAt(account, "imagePullSecrets");
      if (listAt(spec, "imagePullSecrets").length === 0 && secrets.length > 0) spec["imagePullSecrets"] = [...secrets];
    },
    validate(request) {
      const spec = newPodSpec(request);
      if (spec === undefined || request.object?.metadata.annotations?.[MIRROR] === undefined) return;
      if (textAt(spec, "serviceAccountName") !== "")
        throw forbidden(request.kind, request.name, "a mirror pod may not reference service accounts");
      if (listAt(spec, "volumes").some((volume) => isObject(volume) && volume["secret"] !== undefined))
        throw forbidden(request.kind, request.name, "a mirror pod may not reference secrets");
    },
  };
}

async function findAccount(
  context: ServerContext,
  { kind, object, namespace }: AdmissionRequest,
  name: string,
): Promise<KubeObject> {
  for (let attempt = 1; ; attempt++) {
    const account = await readObject(context, "", "serviceaccounts", { name, namespace });
    if (account !== undefined) return account;
    if (name !== "default" || attempt === TRIES) {
      const pod = object?.metadata.name || object?.metadata.generateName || "";
      throw forbidden(
        kind,
        pod,
        `error looking up service account ${namespace}/${name}: serviceaccount "${name}" not found`,
      );
    }
    await sleep(context.clock, TRIED_EVERY_MS);
  }
}

function mountToken(spec: JsonObject): void {
  const without = containersOf(spec).filter(
    (one) => !listAt(one, "volumeMounts").some((mount) => textAt(mount, "mountPath") === MOUNTED_AT),
  );
  if (without.length === 0) return;
  const volumes = [...listAt(spec, "volumes")];
  let name = textAt(
    volumes.find((one) => textAt(one, "name").startsWith("kube-api-access-")),
    "name",
  );
  if (name === "") {
    name = `kube-api-access-${Array.from({ length: 5 }, () => LETTERS[randomInt(LETTERS.length)]).join("")}`;
    spec["volumes"] = [...volumes, tokenVolume(name)];
  }
  for (const container of without) {
    container["volumeMounts"] = [...listAt(container, "volumeMounts"), { name, readOnly: true, mountPath: MOUNTED_AT }];
  }
}

function tokenVolume(name: string): JsonObject {
  return {
    name,
    projected: {
      defaultMode: 0o644,
      sources: [
        { serviceAccountToken: { expirationSeconds: 3607, path: "token" } },
        { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
        {
          downwardAPI: {
            items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }],
          },
        },
      ],
    },
  };
}
