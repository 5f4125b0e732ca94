/** The version of kustomize whose behaviour this is. */
export const KUSTOMIZE_VERSION = "v5.8.1";
