import type { JsonObject, KubeObject } from "@boxship/api";

/** What the node agent reads and writes of `v1.Pod`. */
export interface Pod extends KubeObject {
  spec: PodSpec;
  status?: PodStatus;
}

export type PodSpec = JsonObject & {
  nodeName?: string;
  priority?: number;
  containers: ContainerSpec[];
  initContainers?: ContainerSpec[];
  ephemeralContainers?: ContainerSpec[];
  volumes?: VolumeSpec[];
  restartPolicy?: string;
  hostname?: string;
  subdomain?: string;
  setHostnameAsFQDN?: boolean;
  hostNetwork?: boolean;
  hostPID?: boolean;
  hostIPC?: boolean;
  hostUsers?: boolean;
  shareProcessNamespace?: boolean;
  dnsPolicy?: string;
  dnsConfig?: { nameservers?: string[]; searches?: string[]; options?: { name: string; value?: string }[] };
  hostAliases?: { ip: string; hostnames?: string[] }[];
  imagePullSecrets?: { name?: string }[];
  securityContext?: PodSecurityContext;
  serviceAccountName?: string;
  terminationGracePeriodSeconds?: number;
  activeDeadlineSeconds?: number;
  enableServiceLinks?: boolean;
  runtimeClassName?: string;
  /** What its runtime costs beside its containers. */
  overhead?: { [name: string]: string };
  readinessGates?: { conditionType: string }[];
  resources?: { requests?: { [name: string]: string }; limits?: { [name: string]: string } };
};

export type PodSecurityContext = JsonObject & {
  runAsUser?: number;
  runAsGroup?: number;
  runAsNonRoot?: boolean;
  supplementalGroups?: number[];
  supplementalGroupsPolicy?: string;
  fsGroup?: number;
  fsGroupChangePolicy?: string;
  sysctls?: { name: string; value: string }[];
  seccompProfile?: { type?: string; localhostProfile?: string };
  appArmorProfile?: { type?: string; localhostProfile?: string };
};

export type ContainerSpec = JsonObject & {
  name: string;
  image?: string;
  imagePullPolicy?: string;
  command?: string[];
  args?: string[];
  workingDir?: string;
  env?: EnvVar[];
  envFrom?: EnvFrom[];
  ports?: { containerPort: number; hostPort?: number; hostIP?: string; protocol?: string; name?: string }[];
  resources?: { requests?: { [name: string]: string }; limits?: { [name: string]: string } };
  resizePolicy?: { resourceName: string; restartPolicy: string }[];
  restartPolicy?: string;
  restartPolicyRules?: { action?: string; exitCodes?: { operator?: string; values?: number[] } }[];
  volumeMounts?: VolumeMount[];
  volumeDevices?: JsonObject[];
  livenessProbe?: ProbeSpec;
  readinessProbe?: ProbeSpec;
  startupProbe?: ProbeSpec;
  lifecycle?: { postStart?: HandlerSpec; preStop?: HandlerSpec; stopSignal?: string };
  terminationMessagePath?: string;
  terminationMessagePolicy?: string;
  securityContext?: ContainerSecurityContext;
  stdin?: boolean;
  stdinOnce?: boolean;
  tty?: boolean;
  targetContainerName?: string;
};

export type ContainerSecurityContext = PodSecurityContext & {
  privileged?: boolean;
  readOnlyRootFilesystem?: boolean;
  allowPrivilegeEscalation?: boolean;
  procMount?: string;
  capabilities?: { add?: string[]; drop?: string[] };
};

export type EnvVar = {
  name: string;
  value?: string;
  valueFrom?: {
    fieldRef?: { fieldPath: string };
    resourceFieldRef?: ResourceFieldRef;
    configMapKeyRef?: KeyRef;
    secretKeyRef?: KeyRef;
    fileKeyRef?: JsonObject;
  };
};

export type ResourceFieldRef = { containerName?: string; resource: string; divisor?: string };

type KeyRef = { name?: string; key: string; optional?: boolean };

type EnvFrom = {
  prefix?: string;
  configMapRef?: { name?: string; optional?: boolean };
  secretRef?: { name?: string; optional?: boolean };
};

export type VolumeMount = {
  name: string;
  mountPath: string;
  readOnly?: boolean;
  recursiveReadOnly?: string;
  subPath?: string;
  subPathExpr?: string;
  mountPropagation?: string;
};

export type KeyToPath = { key: string; path: string; mode?: number };
export type DownwardItem = {
  path: string;
  mode?: number;
  fieldRef?: { fieldPath: string };
  resourceFieldRef?: ResourceFieldRef;
};

export type Projection = {
  configMap?: { name?: string; items?: KeyToPath[]; optional?: boolean };
  secret?: { name?: string; items?: KeyToPath[]; optional?: boolean };
  downwardAPI?: { items?: DownwardItem[] };
  serviceAccountToken?: { path: string; audience?: string; expirationSeconds?: number };
  clusterTrustBundle?: JsonObject;
  podCertificate?: JsonObject;
};

export type VolumeSpec = JsonObject & {
  name: string;
  emptyDir?: { medium?: string; sizeLimit?: string };
  hostPath?: { path: string; type?: string };
  configMap?: { name?: string; items?: KeyToPath[]; defaultMode?: number; optional?: boolean };
  secret?: { secretName?: string; items?: KeyToPath[]; defaultMode?: number; optional?: boolean };
  downwardAPI?: { items?: DownwardItem[]; defaultMode?: number };
  projected?: { sources?: Projection[]; defaultMode?: number };
  image?: { reference?: string; pullPolicy?: string };
  persistentVolumeClaim?: { claimName: string; readOnly?: boolean };
  ephemeral?: JsonObject;
};

export type HandlerSpec = {
  exec?: { command?: string[] };
  httpGet?: HttpGet;
  tcpSocket?: { port: number | string; host?: string };
  grpc?: { port: number; service?: string };
  sleep?: { seconds: number };
};

export type HttpGet = {
  path?: string;
  port: number | string;
  host?: string;
  scheme?: string;
  httpHeaders?: { name: string; value: string }[];
};

export type ProbeSpec = HandlerSpec & {
  initialDelaySeconds?: number;
  timeoutSeconds?: number;
  periodSeconds?: number;
  successThreshold?: number;
  failureThreshold?: number;
  terminationGracePeriodSeconds?: number;
};

export type PodStatus = JsonObject & {
  observedGeneration?: number;
  phase?: string;
  reason?: string;
  message?: string;
  conditions?: Condition[];
  podIP?: string;
  podIPs?: { ip: string }[];
  hostIP?: string;
  hostIPs?: { ip: string }[];
  startTime?: string;
  qosClass?: string;
  containerStatuses?: ContainerStatusJson[];
  initContainerStatuses?: ContainerStatusJson[];
  ephemeralContainerStatuses?: ContainerStatusJson[];
};

export type Condition = {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
  observedGeneration?: number;
};

export type ContainerStatusJson = JsonObject & {
  name: string;
  image: string;
  imageID: string;
  containerID?: string;
  ready: boolean;
  started?: boolean;
  restartCount: number;
  volumeMounts?: { name: string; mountPath: string; readOnly?: boolean; recursiveReadOnly?: string }[];
  user?: { linux?: { uid: number; gid: number; supplementalGroups?: number[] } };
  stopSignal?: string;
  allocatedResources?: { [name: string]: string };
  resources?: { requests?: { [name: string]: string }; limits?: { [name: string]: string } };
  state: StateJson;
  lastState: StateJson;
};

export type StateJson = {
  waiting?: { reason: string; message?: string };
  running?: { startedAt: string };
  terminated?: {
    exitCode: number;
    reason?: string;
    message?: string;
    startedAt?: string;
    finishedAt?: string;
    containerID?: string;
  };
};

/** All containers of a pod that start with it. */
export const allContainers = ({ spec }: Pod): readonly ContainerSpec[] => [
  ...(spec.initContainers ?? []),
  ...spec.containers,
];

/** Also those that were added to look into it. */
export const everyContainer = (pod: Pod): readonly ContainerSpec[] => [
  ...allContainers(pod),
  ...(pod.spec.ephemeralContainers ?? []),
];

/** Which container of a pod an event is about. */
export function fieldPathOf({ spec }: Pod, { name }: ContainerSpec): string {
  const list = (["initContainers", "ephemeralContainers"] as const).find((one) =>
    spec[one]?.some((c) => c.name === name),
  );
  return `spec.${list ?? "containers"}{${name}}`;
}

/** Whether nothing of it runs any more, for good. */
export const isOver = ({ status }: Pod): boolean => status?.phase === "Succeeded" || status?.phase === "Failed";

/** Of an init container. */
export const isSidecar = (container: ContainerSpec): boolean => container.restartPolicy === "Always";
