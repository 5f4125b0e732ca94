/** What the node agent notes of its pods and containers with the engine, by the names that others look for. */
export const LABEL = {
  podName: "io.kubernetes.pod.name",
  podNamespace: "io.kubernetes.pod.namespace",
  podUid: "io.kubernetes.pod.uid",
  containerName: "io.kubernetes.container.name",
} as const;

export const ANNOTATION = {
  restartCount: "io.kubernetes.container.restartCount",
  /** Of what the container was made from: another one is another container. */
  hash: "io.kubernetes.container.hash",
  terminationMessagePath: "io.kubernetes.container.terminationMessagePath",
  terminationMessageFile: "io.kubernetes.container.terminationMessageFile",
  terminationMessagePolicy: "io.kubernetes.container.terminationMessagePolicy",
} as const;
