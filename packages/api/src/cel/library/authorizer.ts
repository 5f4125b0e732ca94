export const AUTHORIZER = "kubernetes.authorization.Authorizer";
export const PATH_CHECK = "kubernetes.authorization.PathCheck";
export const GROUP_CHECK = "kubernetes.authorization.GroupCheck";
export const RESOURCE_CHECK = "kubernetes.authorization.ResourceCheck";
export const DECISION = "kubernetes.authorization.Decision";

/** The functions of `authorizer`: what they are called with and what they give. Who decides implements them. */
export const AUTHORIZER_SIGNATURES = {
  path: `${AUTHORIZER}.path(string): ${PATH_CHECK}`,
  group: `${AUTHORIZER}.group(string): ${GROUP_CHECK}`,
  serviceAccount: `${AUTHORIZER}.serviceAccount(string, string): ${AUTHORIZER}`,
  resource: `${GROUP_CHECK}.resource(string): ${RESOURCE_CHECK}`,
  subresource: `${RESOURCE_CHECK}.subresource(string): ${RESOURCE_CHECK}`,
  namespace: `${RESOURCE_CHECK}.namespace(string): ${RESOURCE_CHECK}`,
  name: `${RESOURCE_CHECK}.name(string): ${RESOURCE_CHECK}`,
  check: `${RESOURCE_CHECK}.check(string): ${DECISION}`,
  checkPath: `${PATH_CHECK}.check(string): ${DECISION}`,
  allowed: `${DECISION}.allowed(): bool`,
  reason: `${DECISION}.reason(): string`,
  errored: `${DECISION}.errored(): bool`,
  error: `${DECISION}.error(): string`,
} as const;
