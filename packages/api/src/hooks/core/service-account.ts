import type { KindHooks } from "../../kind/kind.ts";
import { isObject, type JsonObject } from "../../object/json.ts";
import { type KubeObject, listAt, textAt } from "../../object/kube-object.ts";

const MOUNTABLE = "kubernetes.io/enforce-mountable-secrets";

/** Secrets are of the account's namespace: only their names count. */
function plainSecrets(object: KubeObject): void {
  const secrets = listAt(object, "secrets").filter(isObject);
  if (secrets.length === 0) return;
  object["secrets"] = secrets.map((secret): JsonObject => {
    const name = textAt(secret, "name");
    return name === "" ? {} : { name };
  });
}

/** `core/v1.ServiceAccount`: its metadata is all that can be wrong. */
export const serviceAccount: KindHooks = {
  validatesAll: true,
  validate: () => [],
  prepareCreate: plainSecrets,
  prepareUpdate: plainSecrets,
  warnings: ({ metadata }, old) =>
    metadata.annotations?.[MOUNTABLE] === undefined || old?.metadata.annotations?.[MOUNTABLE] !== undefined
      ? []
      : [
          `metadata.annotations[${MOUNTABLE}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets`,
        ],
};
