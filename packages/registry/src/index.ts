export { type AccessFile, parseAccessFile } from "./access/access-file.ts";
export { type Access, type Action, openAccess } from "./access/contract.ts";
export { type HtpasswdAccessOptions, htpasswdAccess } from "./access/htpasswd-access.ts";
export { refreshKey } from "./access/refresh-tokens.ts";
export type { Rule } from "./access/rules.ts";
export { parseRegistryFile, type RegistryFile } from "./config/registry-file.ts";
export {
  openRegistry,
  type Registry,
  type RegistryOptions,
  type RetiredTag,
  type SharedContent,
  type TlsTexts,
} from "./open-registry.ts";
export type { RegistryCheck, RegistryProblem } from "./store/check-registry.ts";
export type { Collected, CollectOptions } from "./store/collect-garbage.ts";
export { readTlsFiles, type TlsFiles, watchTlsFiles } from "./tls-files.ts";
