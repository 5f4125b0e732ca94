import type { ClusterCertificates } from "./cluster-certificates.ts";

export interface KubeconfigOptions {
  /** Of cluster, user and context. */
  readonly name: string;
  /** e.g. `https://127.0.0.1:6443` */
  readonly server: string;
  readonly certificates: ClusterCertificates;
}

/** A kubeconfig with everything in it; JSON, which is YAML. */
export function kubeconfig({ name, server, certificates }: KubeconfigOptions): string {
  const data = (pem: string): string => Buffer.from(pem).toString("base64");
  const { authority, admin } = certificates;
  const user = `${name}-admin`;
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name, cluster: { server, "certificate-authority-data": data(authority) } }],
    users: [
      { name: user, user: { "client-certificate-data": data(admin.certificate), "client-key-data": data(admin.key) } },
    ],
    contexts: [{ name, context: { cluster: name, user } }],
    "current-context": name,
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}
