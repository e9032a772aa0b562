"""The paths of accounts under /api/. No router: the contract's paths have no trailing slash."""

from django.urls import path

from .views import PasswordViewSet, SessionViewSet, TokenViewSet, UserViewSet

urlpatterns = [
    path("auth/signup", TokenViewSet.as_view({"post": "signup"}), name="signup"),
    path("auth/login", TokenViewSet.as_view({"post": "login"}), name="login"),
    path("auth/refresh", TokenViewSet.as_view({"post": "refresh"}), name="refresh"),
    path("auth/logout", TokenViewSet.as_view({"post": "logout"}), name="logout"),
    path("auth/sessions", SessionViewSet.as_view({"get": "list"}), name="sessions"),
    path("auth/sessions/<str:session_id>", SessionViewSet.as_view({"delete": "destroy"}), name="session"),
    path("auth/password", PasswordViewSet.as_view({"post": "change"}), name="password"),
    path("users", UserViewSet.as_view({"get": "list"}), name="users"),
    path("users/me", UserViewSet.as_view({"get": "me", "patch": "update_me"}), name="me"),
    path("users/<str:user_id>", UserViewSet.as_view({"get": "retrieve"}), name="user"),
]
