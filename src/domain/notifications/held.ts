/** Why a text that names a guest's departure waits: the code of the door ends before it. */
export const ACCESS_BEHIND = 'ACCESS_BEHIND';
