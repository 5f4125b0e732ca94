import { array, bool, int, str } from "@boxship/kubectl/flags";

/** Flags of every command: which cluster, as whom. */
export const clusterFlags = {
  "burst-limit": int(100),
  color: str("auto"),
  colour: str("auto"),
  "content-cache": str(),
  debug: bool(),
  "kube-apiserver": str(),
  "kube-as-group": array(),
  "kube-as-user": str(),
  "kube-ca-file": str(),
  "kube-context": str(),
  "kube-insecure-skip-tls-verify": bool(),
  "kube-tls-server-name": str(),
  "kube-token": str(),
  kubeconfig: str(),
  namespace: str("", { short: "n" }),
  qps: str("0"),
  "registry-config": str(),
  "repository-cache": str(),
  "repository-config": str(),
};

/** Flags of commands that take values. */
export const valueFlags = {
  values: array({ short: "f" }),
  set: array(),
  "set-file": array(),
  "set-json": array(),
  "set-literal": array(),
  "set-string": array(),
};
