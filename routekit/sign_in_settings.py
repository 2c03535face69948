"""Who is let in, and how: the part of Django's settings that is about people. Read by `routekit.settings`."""

from __future__ import annotations

from datetime import timedelta

from routekit import env

AUTH_USER_MODEL = "llmconfig.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
SIGNUP = env.SIGNUP
ORIGIN = env.ORIGIN
OIDC, SAML = env.OIDC, env.SAML
EMAIL_CONFIGURED = bool(env.MAIL)
EMAIL_BACKEND = env.MAIL.get("EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend")
EMAIL_HOST, EMAIL_PORT = env.MAIL.get("EMAIL_HOST", "localhost"), env.MAIL.get("EMAIL_PORT") or 25
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = env.MAIL.get("EMAIL_HOST_USER") or "", env.MAIL.get("EMAIL_HOST_PASSWORD") or ""
EMAIL_USE_TLS, EMAIL_USE_SSL = env.MAIL.get("EMAIL_USE_TLS", False), env.MAIL.get("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 10.0
DEFAULT_FROM_EMAIL = env.MAIL_FROM

ACCOUNT_ADAPTER = "llmconfig.web.accounts.AccountAdapter"
ACCOUNT_LOGOUT_REDIRECT_URL = "/accounts/login/"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"  # none is sent to verify one
ACCOUNT_EMAIL_NOTIFICATIONS = False
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 600
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False  # of this session; its others end with the old password
SOCIALACCOUNT_ADAPTER = "llmconfig.web.single_sign_on.SocialAccountAdapter"
SOCIALACCOUNT_LOGIN_ON_GET = True  # a form may not lead to another origin (form-action); the view refuses what another site began
SOCIALACCOUNT_AUTO_SIGNUP = True
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
SOCIALACCOUNT_STORE_TOKENS = False
MFA_ADAPTER = "llmconfig.web.second_factors.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_ALLOW_UNVERIFIED_EMAIL = True  # as above
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TRUST_ENABLED = True  # for 14 days, and until the password or a second factor changes
MFA_TOTP_ISSUER = "routekit"
MFA_TOTP_TOLERANCE = 1
USERSESSIONS_ADAPTER = "llmconfig.web.sessions.UserSessionsAdapter"

AXES_HANDLER = "llmconfig.services.sign_in_guard.SignInGuard"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(seconds=env.LOGIN_PAUSE_S)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_FORM_FIELD = "username"
AXES_USERNAME_CALLABLE = "llmconfig.services.sign_in_guard.whose_account"
AXES_CLIENT_IP_CALLABLE = "llmconfig.tenancy.caller.ip_of"
AXES_LOCKOUT_CALLABLE = "llmconfig.web.accounts.locked_out"
AXES_SENSITIVE_PARAMETERS = ["username", "login", "email", "code", "credential", "csrfmiddlewaretoken", "ip_address"]
AXES_DISABLE_ACCESS_LOG = True  # the audit trail tells it
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
