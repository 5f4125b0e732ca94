/** Fields of one object. With who manages them, more are more than an object may have bytes. */
export const MOST_FIELDS = 75_000;

/** Objects within one. With a field in each, more are more than an object may have bytes. */
export const MOST_OBJECTS = 150_000;
