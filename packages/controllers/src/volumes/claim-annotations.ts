/** What controllers, the scheduler and provisioners tell each other of a claim. */
export const SELECTED_NODE = "volume.kubernetes.io/selected-node";
export const PROVISIONER = "volume.kubernetes.io/storage-provisioner";
