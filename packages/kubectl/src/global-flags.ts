import { array, bool, int, slice, str } from "./flags.ts";

/** Flags that every command takes. */
export const globalFlags = {
  as: str(),
  "as-group": array(),
  "as-uid": str(),
  "as-user-extra": array(),
  "cache-dir": str(),
  "certificate-authority": str(),
  "client-certificate": str(),
  "client-key": str(),
  cluster: str(),
  context: str(),
  "disable-compression": bool(),
  "insecure-skip-tls-verify": bool(),
  kubeconfig: str(),
  kuberc: str(),
  "match-server-version": bool(),
  namespace: str("", { short: "n" }),
  password: str(),
  profile: str("none"),
  "profile-output": str("profile.pprof"),
  "request-timeout": str("0"),
  server: str("", { short: "s" }),
  "tls-server-name": str(),
  token: str(),
  user: str(),
  username: str(),
  v: int(0, { short: "v" }),
  vmodule: str(),
  "warnings-as-errors": bool(),
  "log-flush-frequency": str("5s"),
};

/** Flags that are known by name and refused: what they ask for does not exist here. */
export const REFUSED_GLOBALS = ["kuberc", "password", "username", "vmodule"] as const;

/** Of commands that take manifests. */
export const fileFlags = {
  filename: slice({ short: "f" }),
  kustomize: str("", { short: "k" }),
  recursive: bool(false, { short: "R" }),
};

/** Of commands that print an object. */
export const outputFlags = {
  output: str("", { short: "o" }),
  template: str(),
  "allow-missing-template-keys": bool(true),
  "show-managed-fields": bool(),
};

export const selectorFlag = { selector: str("", { short: "l" }) };
export const dryRunFlag = { "dry-run": str("none", { bare: "unchanged" }) };
