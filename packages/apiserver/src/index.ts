export * from "./access/authorize.ts";
export { DEFAULT_SERVICE_NETWORKS, ServiceNetworks } from "./admission/service-networks.ts";
export { AuditLog } from "./audit/audit-log.ts";
export { AuditPolicy } from "./audit/audit-policy.ts";
export { type AuthenticationFile, parseAuthenticationFile } from "./authentication/authentication-file.ts";
export { type RemoteServer, readKubeconfig } from "./authentication/read-kubeconfig.ts";
export * from "./certificates/certificate-renewal.ts";
export {
  type CertificatesOptions,
  type ClusterCertificates,
  clusterCertificates,
  FRONT_PROXY_CLIENT,
  type FrontProxy,
} from "./certificates/cluster-certificates.ts";
export {
  type CertificateRequest,
  issueCertificate,
  type KeyPair,
  makeAuthority,
} from "./certificates/issue-certificate.ts";
export * from "./certificates/kubeconfig.ts";
export * from "./certificates/sign-request.ts";
export * from "./contract.ts";
export { type ApiServer, type ApiServerOptions, openApiServer } from "./open-api-server.ts";
export type { Naming, ResourceRequest, ServerContext } from "./server-context.ts";
export { checkObjects, type ObjectsCheck } from "./storage/check-objects.ts";
export { EncryptedValues } from "./storage/encrypted-values.ts";
export { ObjectStore } from "./storage/object-store.ts";
export { rotateKeys } from "./storage/rotate-keys.ts";
export { PLAIN_VALUES, type ValueCodec } from "./storage/value-codec.ts";
export { SigningKeys } from "./tokens/signing-keys.ts";
