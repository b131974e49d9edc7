// Makes a passkey, or has one sign: the page holds what to ask for, the form takes the answer.

const form = document.getElementById("passkey");

function toBytes(text) {
  const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}

function toText(buffer) {
  const plain = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

function withBytes(credentials) {
  return (credentials || []).map((known) => ({ ...known, id: toBytes(known.id) }));
}

async function make(options) {
  const made = await navigator.credentials.create({
    publicKey: {
      ...options,
      challenge: toBytes(options.challenge),
      user: { ...options.user, id: toBytes(options.user.id) },
      excludeCredentials: withBytes(options.excludeCredentials),
    },
  });
  return {
    ...head(made),
    response: {
      clientDataJSON: toText(made.response.clientDataJSON),
      attestationObject: toText(made.response.attestationObject),
    },
  };
}

async function ask(options) {
  const given = await navigator.credentials.get({
    publicKey: {
      ...options,
      challenge: toBytes(options.challenge),
      allowCredentials: withBytes(options.allowCredentials),
    },
  });
  const { clientDataJSON, authenticatorData, signature, userHandle } = given.response;
  return {
    ...head(given),
    response: {
      clientDataJSON: toText(clientDataJSON),
      authenticatorData: toText(authenticatorData),
      signature: toText(signature),
      userHandle: userHandle ? toText(userHandle) : null,
    },
  };
}

function head(credential) {
  return {
    id: credential.id,
    rawId: toText(credential.rawId),
    type: credential.type,
    clientExtensionResults: credential.getClientExtensionResults(),
  };
}

if (form && window.PublicKeyCredential) {
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const complaint = form.querySelector("[role=alert]");
    complaint.hidden = true;
    try {
      const { make: toMake, ask: toAsk } = form.dataset;
      const credential = toMake ? await make(JSON.parse(toMake)) : await ask(JSON.parse(toAsk));
      form.elements.credential.value = JSON.stringify(credential);
      form.submit();
    } catch {
      complaint.hidden = false;
    }
  });
}
