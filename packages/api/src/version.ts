/** The level of Kubernetes that the API serves and that nodes keep to, with whose it is. */
export const KUBERNETES_LEVEL = "v1.36.2+boxship";
