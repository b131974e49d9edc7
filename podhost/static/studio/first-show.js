// The time zone of a first show is the one of whoever makes it; it can be changed later.

const field = document.querySelector("[data-own-time-zone]");
if (field && !field.value) field.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
