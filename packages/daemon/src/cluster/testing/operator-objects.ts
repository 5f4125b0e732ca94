import { existsSync, realpathSync } from "node:fs";
import { basename, join } from "node:path";
import { repositoryRoot } from "@boxship/testkit";

/** What programs of this machine are linked with. */
const LIBRARIES = ["/usr/lib", "/usr/lib64"].filter((path) => existsSync(path));

interface Volume {
  readonly path: string;
  readonly mountPath: string;
}

/** A program of this machine in a container: itself, and what it is linked with. */
export const withProgram = (name: string, path: string, more?: Volume): string => `
    volumeMounts:
    - {name: program, mountPath: /bin/${name}}
${more === undefined ? "" : `    - {name: more, mountPath: ${more.mountPath}, readOnly: true}`}
${LIBRARIES.map((library) => `    - {name: ${basename(library)}, mountPath: /${basename(library)}, readOnly: true}`).join("\n")}
  volumes:
  - {name: program, hostPath: {path: ${path}, type: File}}
${more === undefined ? "" : `  - {name: more, hostPath: {path: ${more.path}, type: Directory}}`}
${LIBRARIES.map((library) => `  - {name: ${basename(library)}, hostPath: {path: ${library}, type: Directory}}`).join("\n")}`;

/** An operator as people write them: a ConfigMap that is labelled so becomes a Deployment, which follows it. */
const OPERATOR = `
import { AppsV1Api, CoreV1Api, KubeConfig, makeInformer } from "@kubernetes/client-node";
const config = new KubeConfig();
config.loadFromCluster();
const [core, apps] = [config.makeApiClient(CoreV1Api), config.makeApiClient(AppsV1Api)];
const namespace = "default";
const labelSelector = "kind=site";
const list = () => core.listNamespacedConfigMap({ namespace, labelSelector });
const informer = makeInformer(config, "/api/v1/namespaces/default/configmaps", list, labelSelector);
async function reconcile({ metadata: { name, uid }, data }) {
  const labels = { site: name };
  const container = { name: "c", image: "busybox:latest", imagePullPolicy: "Never", command: ["sleep", "100000"] };
  const spec = { terminationGracePeriodSeconds: 0, containers: [container] };
  const body = {
    metadata: { name, ownerReferences: [{ apiVersion: "v1", kind: "ConfigMap", name, uid, controller: true }] },
    spec: { replicas: Number(data.replicas), selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  };
  try {
    await apps.createNamespacedDeployment({ namespace, body });
  } catch (error) {
    if (error.code !== 409) throw error;
    await apps.replaceNamespacedDeployment({ name, namespace, body });
  }
  await core.createNamespacedEvent({ namespace, body: {
    metadata: { generateName: name }, involvedObject: { apiVersion: "v1", kind: "ConfigMap", name, namespace, uid },
    type: "Normal", reason: "Reconciled", message: "has " + data.replicas,
  } });
}
for (const event of ["add", "update"]) informer.on(event, (object) => reconcile(object).catch((error) => console.error(error)));
informer.on("error", (error) => {
  console.error(String(error));
  setTimeout(() => informer.start(), 200);
});
await informer.start();
`;

/** Its pod, and what it may. */
export const OPERATOR_OBJECTS = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: operator}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: operator}
rules:
- {apiGroups: [""], resources: [configmaps], verbs: [get, list, watch]}
- {apiGroups: [""], resources: [events], verbs: [create]}
- {apiGroups: [apps], resources: [deployments], verbs: [create, update]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: operator}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: operator}
subjects: [{kind: ServiceAccount, name: operator, namespace: default}]
---
apiVersion: v1
kind: Pod
metadata: {name: operator}
spec:
  serviceAccountName: operator
  terminationGracePeriodSeconds: 0
  containers:
  - name: c
    image: busybox:latest
    imagePullPolicy: Never
    workingDir: /srv
    command: [node, --input-type=module, -e, ${JSON.stringify(OPERATOR)}]${withProgram("node", realpathSync(process.execPath), { path: join(repositoryRoot, "node_modules"), mountPath: "/srv/node_modules" })}
`;

/** What it works on. */
export const site = (replicas: number) => `
apiVersion: v1
kind: ConfigMap
metadata: {name: shop, labels: {kind: site}}
data: {replicas: "${replicas}"}
`;
