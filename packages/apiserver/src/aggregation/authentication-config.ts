import type { KubeObject } from "@boxship/api";
import { deepEqual } from "@boxship/api";
import { ensureObjects } from "../bootstrap/ensure-objects.ts";
import { SYSTEM_WRITE, systemRequest } from "../bootstrap/system-request.ts";
import { type ClusterCertificates, FRONT_PROXY_CLIENT } from "../certificates/cluster-certificates.ts";
import type { ServerContext } from "../server-context.ts";
import { builtinKind, readObject } from "../storage/read-objects.ts";
import { modifyObject } from "../verbs/modify-object.ts";

const NAME = "extension-apiserver-authentication";
const NAMESPACE = "kube-system";

/** Tells servers behind us by what they know clients, and us, who say in headers who asks. */
export async function ensureAuthenticationConfig(
  context: ServerContext,
  certificates: ClusterCertificates,
): Promise<void> {
  const data = {
    "client-ca-file": certificates.authority,
    "requestheader-allowed-names": JSON.stringify([FRONT_PROXY_CLIENT]),
    "requestheader-client-ca-file": certificates.frontProxy.authority,
    "requestheader-extra-headers-prefix": JSON.stringify(["X-Remote-Extra-"]),
    "requestheader-group-headers": JSON.stringify(["X-Remote-Group"]),
    "requestheader-uid-headers": JSON.stringify(["X-Remote-Uid"]),
    "requestheader-username-headers": JSON.stringify(["X-Remote-User"]),
  };
  const metadata = { name: NAME, namespace: NAMESPACE };
  const role: KubeObject = {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "Role",
    metadata: { name: `${NAME}-reader`, namespace: NAMESPACE },
    rules: [{ apiGroups: [""], resources: ["configmaps"], resourceNames: [NAME], verbs: ["get", "list", "watch"] }],
  };
  await ensureObjects(context, [{ apiVersion: "v1", kind: "ConfigMap", metadata, data }, role]);
  const kept = await readObject(context, "", "configmaps", metadata);
  if (kept === undefined || deepEqual(kept["data"], data)) return;
  await modifyObject(context, systemRequest(builtinKind(context, "", "configmaps"), NAMESPACE, NAME), SYSTEM_WRITE, {
    change(old) {
      delete old.metadata.resourceVersion;
      return { ...old, data };
    },
    track: () => {},
  });
}
