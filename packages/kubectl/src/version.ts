/** The version of kubectl whose words these are. */
export const KUBECTL_VERSION = "v1.36.4";
/** What kubectl of that version says of the kustomize in it. */
export const KUSTOMIZE_VERSION = "v5.8.1";

/** Begins with `kubectl`: servers name the owner of fields after it. */
export const userAgent = (): string => `kubectl/${KUBECTL_VERSION} (linux/${process.arch}) boxship`;
