import { field, message, type ValueOf } from "@boxship/grpc";

/** What pods and containers are made from, by the CRI v1. Names are those of its JSON; enumerations are numbers. */

export type PodSandboxMetadata = ValueOf<typeof PodSandboxMetadata>;
export const PodSandboxMetadata = message("PodSandboxMetadata", {
  name: field.string(1),
  uid: field.string(2),
  namespace: field.string(3),
  attempt: field.uint32(4),
});

export type DNSConfig = ValueOf<typeof DNSConfig>;
export const DNSConfig = message("DNSConfig", {
  servers: field.strings(1),
  searches: field.strings(2),
  options: field.strings(3),
});

export type PortMapping = ValueOf<typeof PortMapping>;
export const PortMapping = message("PortMapping", {
  protocol: field.int32(1),
  containerPort: field.int32(2),
  hostPort: field.int32(3),
  hostIp: field.string(4),
});

export type IDMapping = ValueOf<typeof IDMapping>;
export const IDMapping = message("IDMapping", {
  hostId: field.uint32(1),
  containerId: field.uint32(2),
  length: field.uint32(3),
});

export type UserNamespace = ValueOf<typeof UserNamespace>;
export const UserNamespace = message("UserNamespace", {
  mode: field.int32(1),
  uids: field.messages(2, IDMapping),
  gids: field.messages(3, IDMapping),
});

export type NamespaceOption = ValueOf<typeof NamespaceOption>;
export const NamespaceOption = message("NamespaceOption", {
  network: field.int32(1),
  pid: field.int32(2),
  ipc: field.int32(3),
  targetId: field.string(4),
  usernsOptions: field.message(5, UserNamespace),
});

export type SELinuxOption = ValueOf<typeof SELinuxOption>;
export const SELinuxOption = message("SELinuxOption", {
  user: field.string(1),
  role: field.string(2),
  type: field.string(3),
  level: field.string(4),
});

export type Int64Value = ValueOf<typeof Int64Value>;
export const Int64Value = message("Int64Value", {
  value: field.int64(1),
});

export type SecurityProfile = ValueOf<typeof SecurityProfile>;
export const SecurityProfile = message("SecurityProfile", {
  profileType: field.int32(1),
  localhostRef: field.string(2),
});

export type LinuxSandboxSecurityContext = ValueOf<typeof LinuxSandboxSecurityContext>;
export const LinuxSandboxSecurityContext = message("LinuxSandboxSecurityContext", {
  namespaceOptions: field.message(1, NamespaceOption),
  selinuxOptions: field.message(2, SELinuxOption),
  runAsUser: field.message(3, Int64Value),
  runAsGroup: field.message(8, Int64Value),
  readonlyRootfs: field.bool(4),
  supplementalGroups: field.int64s(5),
  supplementalGroupsPolicy: field.int32(11),
  privileged: field.bool(6),
  seccomp: field.message(9, SecurityProfile),
  apparmor: field.message(10, SecurityProfile),
});

export type HugepageLimit = ValueOf<typeof HugepageLimit>;
export const HugepageLimit = message("HugepageLimit", {
  pageSize: field.string(1),
  limit: field.int64(2),
});

export type LinuxContainerResources = ValueOf<typeof LinuxContainerResources>;
export const LinuxContainerResources = message("LinuxContainerResources", {
  cpuPeriod: field.int64(1),
  cpuQuota: field.int64(2),
  cpuShares: field.int64(3),
  memoryLimitInBytes: field.int64(4),
  oomScoreAdj: field.int64(5),
  cpusetCpus: field.string(6),
  cpusetMems: field.string(7),
  hugepageLimits: field.messages(8, HugepageLimit),
  unified: field.stringMap(9),
  memorySwapLimitInBytes: field.int64(10),
});

export type LinuxPodSandboxConfig = ValueOf<typeof LinuxPodSandboxConfig>;
export const LinuxPodSandboxConfig = message("LinuxPodSandboxConfig", {
  cgroupParent: field.string(1),
  securityContext: field.message(2, LinuxSandboxSecurityContext),
  sysctls: field.stringMap(3),
  overhead: field.message(4, LinuxContainerResources),
  resources: field.message(5, LinuxContainerResources),
});

export type PodSandboxConfig = ValueOf<typeof PodSandboxConfig>;
export const PodSandboxConfig = message("PodSandboxConfig", {
  metadata: field.message(1, PodSandboxMetadata),
  hostname: field.string(2),
  logDirectory: field.string(3),
  dnsConfig: field.message(4, DNSConfig),
  portMappings: field.messages(5, PortMapping),
  labels: field.stringMap(6),
  annotations: field.stringMap(7),
  linux: field.message(8, LinuxPodSandboxConfig),
});

export type ContainerMetadata = ValueOf<typeof ContainerMetadata>;
export const ContainerMetadata = message("ContainerMetadata", {
  name: field.string(1),
  attempt: field.uint32(2),
});

export type ImageSpec = ValueOf<typeof ImageSpec>;
export const ImageSpec = message("ImageSpec", {
  image: field.string(1),
  annotations: field.stringMap(2),
  userSpecifiedImage: field.string(18),
  runtimeHandler: field.string(19),
  imageRef: field.string(20),
});

export type KeyValue = ValueOf<typeof KeyValue>;
export const KeyValue = message("KeyValue", {
  key: field.string(1),
  value: field.bytes(2),
});

export type Mount = ValueOf<typeof Mount>;
export const Mount = message("Mount", {
  containerPath: field.string(1),
  hostPath: field.string(2),
  readonly: field.bool(3),
  selinuxRelabel: field.bool(4),
  propagation: field.int32(5),
  uidMappings: field.messages(6, IDMapping),
  gidMappings: field.messages(7, IDMapping),
  recursiveReadOnly: field.bool(8),
  image: field.message(9, ImageSpec),
  imageSubPath: field.string(10),
});

export type Device = ValueOf<typeof Device>;
export const Device = message("Device", {
  containerPath: field.string(1),
  hostPath: field.string(2),
  permissions: field.string(3),
});

export type Capability = ValueOf<typeof Capability>;
export const Capability = message("Capability", {
  addCapabilities: field.strings(1),
  dropCapabilities: field.strings(2),
  addAmbientCapabilities: field.strings(3),
});

export type LinuxContainerSecurityContext = ValueOf<typeof LinuxContainerSecurityContext>;
export const LinuxContainerSecurityContext = message("LinuxContainerSecurityContext", {
  capabilities: field.message(1, Capability),
  privileged: field.bool(2),
  namespaceOptions: field.message(3, NamespaceOption),
  selinuxOptions: field.message(4, SELinuxOption),
  runAsUser: field.message(5, Int64Value),
  runAsGroup: field.message(12, Int64Value),
  runAsUsername: field.string(6),
  readonlyRootfs: field.bool(7),
  supplementalGroups: field.int64s(8),
  supplementalGroupsPolicy: field.int32(17),
  noNewPrivs: field.bool(11),
  maskedPaths: field.strings(13),
  readonlyPaths: field.strings(14),
  seccomp: field.message(15, SecurityProfile),
  apparmor: field.message(16, SecurityProfile),
});

export type LinuxContainerConfig = ValueOf<typeof LinuxContainerConfig>;
export const LinuxContainerConfig = message("LinuxContainerConfig", {
  resources: field.message(1, LinuxContainerResources),
  securityContext: field.message(2, LinuxContainerSecurityContext),
});

export type CDIDevice = ValueOf<typeof CDIDevice>;
export const CDIDevice = message("CDIDevice", {
  name: field.string(1),
});

/** Far more than a pod of the API can name; reading them stops the event loop for less than 50 ms. */
const MOST_MOUNTS = 10_000;

export type ContainerConfig = ValueOf<typeof ContainerConfig>;
export const ContainerConfig = message("ContainerConfig", {
  metadata: field.message(1, ContainerMetadata),
  image: field.message(2, ImageSpec),
  command: field.strings(3),
  args: field.strings(4),
  workingDir: field.string(5),
  envs: field.messages(6, KeyValue),
  mounts: field.messages(7, Mount, MOST_MOUNTS),
  devices: field.messages(8, Device, MOST_MOUNTS),
  labels: field.stringMap(9),
  annotations: field.stringMap(10),
  logPath: field.string(11),
  stdin: field.bool(12),
  stdinOnce: field.bool(13),
  tty: field.bool(14),
  linux: field.message(15, LinuxContainerConfig),
  cdiDevices: field.messages(17, CDIDevice),
  stopSignal: field.int32(18),
});

export type AuthConfig = ValueOf<typeof AuthConfig>;
export const AuthConfig = message("AuthConfig", {
  username: field.string(1),
  password: field.string(2),
  auth: field.string(3),
  serverAddress: field.string(4),
  identityToken: field.string(5),
  registryToken: field.string(6),
});
